import type {
  JWTBundlesResponse,
  JWTSVID,
  X509BundlesResponse,
  X509SVIDResponse,
} from "../../proto/gen/spiffe/workload/workload_pb.ts";
import { Bundle } from "../bundle/bundle.ts";
import { BundleSet, parseTrustDomainKey } from "../bundle/bundle-set.ts";
import { parseWorkloadJwks } from "../bundle/workload-jwks.ts";
import { parseX509Authorities } from "../bundle/x509-authorities.ts";
import { SpiffeError } from "../error.ts";
import { SpiffeId } from "../id/spiffe-id.ts";
import { type JwtSvid, readJwtSvid } from "../svid/jwt-svid.ts";
import { X509Svid } from "../svid/x509-svid.ts";

/** What a workload has at one moment: its X509-SVIDs, and the bundles to verify others with. */
export interface X509Context {
  /** Never empty; the first is the default identity (Workload API 8). */
  readonly svids: readonly [X509Svid, ...X509Svid[]];
  readonly bundles: BundleSet;
}

/**
 * Reads a message of FetchX509SVID. Since each message is the full state, one bad part spoils all of it (Workload API
 * 4.3, 4.5).
 *
 * @throws {SpiffeError} "workload_message" and the codes of the parts
 */
export function readX509Context(message: X509SVIDResponse): X509Context {
  const svids: X509Svid[] = [];
  const bundles: Bundle[] = [];
  for (const { spiffeId, x509Svid, x509SvidKey, bundle, hint } of message.svids) {
    const id = SpiffeId.parse(spiffeId);
    const svid = X509Svid.parse({
      certificates: x509Svid,
      privateKey: x509SvidKey,
      spiffeId: id,
      hint,
    });
    svids.push(svid);
    bundles.push(readX509Bundle(`spiffe://${id.trustDomain.name}`, bundle));
  }
  const [first, ...others] = withUniqueHints(svids);
  if (first === undefined) throw malformedMessage("it holds no SVID");
  for (const [key, bytes] of Object.entries(message.federatedBundles)) {
    bundles.push(readX509Bundle(key, bytes));
  }
  return { svids: [first, ...others], bundles: new BundleSet(bundles) };
}

/** Reads a message of FetchX509Bundles. @throws {SpiffeError} as {@link readX509Context} */
export function readX509Bundles(message: X509BundlesResponse): BundleSet {
  return readBundleMap(message.bundles, readX509Bundle);
}

/** Reads a message of FetchJWTBundles. @throws {SpiffeError} as {@link readX509Context} */
export function readJwtBundles(message: JWTBundlesResponse): BundleSet {
  return readBundleMap(message.bundles, (key, bytes) => {
    const { authorities } = parseWorkloadJwks("jwt-svid", bytes);
    return new Bundle(parseTrustDomainKey(key), { jwtAuthorities: authorities });
  });
}

/**
 * Reads one JWT-SVID of an answer: it must be the one that was asked for. Its signature is for the verifier to check.
 *
 * @throws {SpiffeError} "workload_message" and the codes of readJwtSvid
 */
export function readFetchedJwtSvid(
  message: JWTSVID,
  audience: readonly string[],
  now: Date,
): JwtSvid {
  const svid = readJwtSvid(message.svid);
  if (svid.id.toString() !== message.spiffeId) {
    throw new SpiffeError("svid_id_mismatch", "SPIFFE ID is not the one in the token");
  }
  if (!audience.every((each) => svid.audience.includes(each))) {
    throw malformedMessage("a token lacks an audience that was asked for");
  }
  if (svid.expiresAt <= now) throw malformedMessage("a token has expired already");
  return svid;
}

/** Of SVIDs with the same hint the first counts; no hint is no clash (Workload API 5.2.1). */
export function withUniqueHints<T extends { readonly hint: string }>(svids: readonly T[]): T[] {
  const seen = new Set<string>();
  return svids.filter(({ hint }) => {
    const isNew = hint === "" || !seen.has(hint);
    seen.add(hint);
    return isNew;
  });
}

function readX509Bundle(key: string, bytes: Uint8Array): Bundle {
  const { authorities } = parseX509Authorities(bytes);
  return new Bundle(parseTrustDomainKey(key), { x509Authorities: authorities });
}

/** @throws {SpiffeError} "workload_message" when there is none: an empty map is no answer (Workload API 4.5) */
export function readBundleMap<T>(
  map: Readonly<Record<string, T>>,
  read: (key: string, document: T) => Bundle,
): BundleSet {
  const bundles = Object.entries(map).map(([key, document]) => read(key, document));
  if (bundles.length === 0) throw malformedMessage("it holds no bundle");
  return new BundleSet(bundles);
}

export function malformedMessage(reason: string): SpiffeError {
  return new SpiffeError("workload_message", `message of the Workload API is refused: ${reason}`);
}
