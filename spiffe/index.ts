/**
 * The SPIFFE standards as a library: IDs, SVIDs, bundles, and how one is verified with the other. Everything here is a
 * pure function of its arguments: verification time is an argument, keys and bundles are given, nothing is fetched.
 */
export {
  Bundle,
  type BundleContent,
  type BundleSource,
  type JwtAuthority,
} from "./bundle/bundle.ts";
export {
  type BundleDocument,
  type BundleDocumentOptions,
  DEFAULT_REFRESH_HINT_SECONDS,
  formatBundleDocument,
  parseBundleDocument,
} from "./bundle/bundle-document.ts";
export { type BundleMap, parseBundleMap } from "./bundle/bundle-map.ts";
export { BundleSet } from "./bundle/bundle-set.ts";
export {
  ANY_AUDIENCE,
  FederationLimits,
  type FederationTerms,
} from "./bundle/federation-limits.ts";
export { parseX509Authorities, type X509AuthoritiesResult } from "./bundle/x509-authorities.ts";
export { SpiffeError, type SpiffeErrorCode } from "./error.ts";
export type { Finding, FindingCode } from "./finding.ts";
export { IdPattern } from "./id/id-pattern.ts";
export {
  type Matcher,
  matchAny,
  matchId,
  matchMemberOf,
  matchOneOf,
} from "./id/matcher.ts";
export { MAX_SPIFFE_ID_BYTES, SpiffeId, TrustDomain } from "./id/spiffe-id.ts";
export type { PlainJson, PlainJsonObject } from "./json/plain-json.ts";
export type { JwsAlgorithm } from "./jwt/jws-algorithm.ts";
export {
  type JwtSvid,
  type JwtVerifyOptions,
  readJwtSvid,
  verifyJwtSvid,
} from "./svid/jwt-svid.ts";
export {
  readWitSvid,
  type UnprovenWitSvid,
  verifyWitSvid,
  type WitVerifyOptions,
} from "./svid/wit-svid.ts";
export { parseWitSvidKey } from "./svid/wit-svid-key.ts";
export {
  createWorkloadProof,
  type ProofContext,
  type ProofRequest,
  type ProvenWitSvid,
  readWitPresentation,
  verifyWorkloadProof,
  type WitPresentation,
} from "./svid/workload-proof.ts";
export { X509Svid, type X509SvidMaterial, type X509SvidSource } from "./svid/x509-svid.ts";
export { type VerifiedX509Svid, verifyX509Svid } from "./svid/x509-verify.ts";
export {
  ENDPOINT_SOCKET_VARIABLE,
  type EndpointAddress,
  type EndpointAddressOptions,
  formatEndpointAddress,
  parseEndpointAddress,
  resolveEndpointAddress,
} from "./workloadapi/endpoint.ts";
export { Certificate, parseConcatenatedCertificates } from "./x509/certificate.ts";
export { formatCertificatesPem, parseCertificatesPem } from "./x509/certificate-pem.ts";
