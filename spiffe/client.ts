/**
 * The client library for workloads: identities from the Workload API, kept fresh, and TLS between them. Everything of the
 * standards library is here too.
 */

export type { FileLayout } from "./files/file-set.ts";
export type {
  FileSpec,
  JwtFile,
  KeysFile,
  PemFile,
  PemPart,
  Pkcs12File,
  Pkcs12Part,
} from "./files/file-spec.ts";
export type { FilesEvents, Withdrawal, WriterOptions } from "./files/files-writer.ts";
export type { IdentityState } from "./files/identity-state.ts";
export { type KeepFilesOptions, keepFiles, writeFilesOnce } from "./files/keep-files.ts";
export { FolderError } from "./files/target-folder.ts";
export * from "./index.ts";
export {
  connectTls,
  type MutualTls,
  SpiffeHttpsAgent,
  type UndiciCallback,
  type UndiciTarget,
  undiciConnector,
} from "./tls/client.ts";
export { createGrpcListener, grpcChannelCredentials } from "./tls/grpc.ts";
export { type PeerPolicy, peerIdOf, verifyPeer } from "./tls/peer-id.ts";
export {
  createHttpsServer,
  createTlsServer,
  type MutualTlsServer,
  type WatchedX509SvidSource,
} from "./tls/server.ts";
export { WorkloadBundleSource } from "./workloadapi/bundle-source.ts";
export { JwtSource, type JwtSvidRequest } from "./workloadapi/jwt-source.ts";
export type { SourceOptions } from "./workloadapi/source-options.ts";
export type { OwnWitSvid } from "./workloadapi/wit-messages.ts";
export { WitSource, type WitSourceOptions } from "./workloadapi/wit-source.ts";
export { X509Source, type X509SourceOptions } from "./workloadapi/x509-source.ts";
