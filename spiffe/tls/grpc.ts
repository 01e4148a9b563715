import type { Server as TlsServer } from "node:tls";
import {
  type ChannelCredentials,
  type Server as GrpcServer,
  ServerCredentials,
} from "@grpc/grpc-js";
import { systemClock } from "../../runtime/time/clock.ts";
import { verifyX509Svid } from "../svid/x509-verify.ts";
import { Certificate } from "../x509/certificate.ts";
import type { MutualTls } from "./client.ts";
import { secureContextOf } from "./secure-context.ts";
import { createTlsServer, type MutualTlsServer } from "./server.ts";
import { VerifiedTlsCredentials } from "./verified-channel-credentials.ts";

/**
 * Credentials for a grpc-js channel: mutual TLS between SVIDs, host names play no part. The identity is read when the
 * channel connects, so that a reconnect after a rotation shows the new SVID.
 */
export function grpcChannelCredentials(tls: MutualTls): ChannelCredentials {
  return new VerifiedTlsCredentials(
    () => secureContextOf(tls.svid.x509Svid()),
    (chainDer) => {
      const chain = chainDer.map((der) => Certificate.parse(der));
      tls.authorize(verifyX509Svid(chain, tls.bundles, tls.now?.() ?? systemClock.now()).id);
    },
  );
}

/**
 * A TLS server whose verified connections a grpc-js server answers. Call `listen` on it; the grpc-js server binds nothing
 * itself. Closing it takes no more connections; shut the grpc-js server down to end those that are open.
 */
export function createGrpcListener(server: GrpcServer, tls: MutualTlsServer): TlsServer {
  const injector = server.createConnectionInjector(ServerCredentials.createInsecure());
  return createTlsServer(tls, (socket) => injector.injectConnection(socket), {
    alpnProtocols: ["h2"],
  });
}
