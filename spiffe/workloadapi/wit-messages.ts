import type { KeyObject } from "node:crypto";
import type {
  WITBundlesResponse,
  WITSVIDResponse,
} from "../../proto/gen/spiffe/workload/workload_pb.ts";
import { Bundle } from "../bundle/bundle.ts";
import type { BundleSet } from "../bundle/bundle-set.ts";
import { parseTrustDomainKey } from "../bundle/bundle-set.ts";
import { parseWorkloadJwks } from "../bundle/workload-jwks.ts";
import { SpiffeError } from "../error.ts";
import { readWitSvid, type UnprovenWitSvid } from "../svid/wit-svid.ts";
import { parseWitSvidKey } from "../svid/wit-svid-key.ts";
import { malformedMessage, readBundleMap, withUniqueHints } from "./messages.ts";

/** A WIT-SVID of one's own, with the key to prove it by. */
export interface OwnWitSvid {
  /** To be sent along; its signature is for the verifier to check. */
  readonly wit: UnprovenWitSvid;
  /** The private half of the key that it confirms. */
  readonly privateKey: KeyObject;
  /** What the operator says this identity is for; empty means none. */
  readonly hint: string;
}

/**
 * Reads a message of FetchWITSVID: the whole state, of which one bad part spoils all (Workload API 4.3, 4.5).
 *
 * @returns never empty; the first is the default identity (Workload API 8)
 * @throws {SpiffeError} "workload_message" | "svid_id_mismatch" | "svid_private_key", and the codes of readWitSvid
 */
export function readWitSvids(
  message: WITSVIDResponse,
  now: Date,
): readonly [OwnWitSvid, ...OwnWitSvid[]] {
  const svids = message.svids.map(({ spiffeId, witSvid, witSvidKey, hint }) => {
    const wit = readWitSvid(witSvid);
    if (wit.id.toString() !== spiffeId) {
      throw new SpiffeError("svid_id_mismatch", "SPIFFE ID is not the one in the token");
    }
    if (wit.expiresAt <= now) throw malformedMessage("a token has expired already");
    return { wit, privateKey: parseWitSvidKey(witSvidKey, wit), hint };
  });
  const [first, ...others] = withUniqueHints(svids);
  if (first === undefined) throw malformedMessage("it holds no SVID");
  return [first, ...others];
}

/** Reads a message of FetchWITBundles. @throws {SpiffeError} as {@link readWitSvids} */
export function readWitBundles(message: WITBundlesResponse): BundleSet {
  return readBundleMap(message.bundles, (key, document) => {
    const { authorities } = parseWorkloadJwks("wit-svid", document);
    return new Bundle(parseTrustDomainKey(key), { witAuthorities: authorities });
  });
}
