import type { KeyObject } from "node:crypto";
import type { Bundle } from "../../spiffe/bundle/bundle.ts";
import { sameContent } from "../bundle/bundle-change.ts";
import { bundleRecordOf } from "../bundle/bundle-record.ts";
import type { BundleRecord } from "../store/records.ts";
import { FetchError } from "./fetch-error.ts";

/** What is to become of a bundle that was fetched. */
export interface CheckedBundle {
  readonly record: BundleRecord;
  /** It says something else under the sequence that we have seen, which is its publisher's mistake (Trust Domain and Bundle 4.1.1). */
  readonly repeatsSequence: boolean;
}

/**
 * Judges a fetched bundle by what is known already. A lower sequence is an old bundle, and is not taken (Federation 4.2); without a
 * sequence on either side the newest fetch counts. A bundle with an authority of our own is not another trust domain's.
 *
 * @throws {FetchError} bundle_sequence, bundle_own_authority
 */
export function checkFetched(
  fetched: Bundle,
  stored: BundleRecord | undefined,
  own: Bundle,
): CheckedBundle {
  const ours = keysOf(own);
  if (keysOf(fetched).some((key) => ours.some((one) => one.equals(key)))) {
    throw new FetchError(
      "bundle_own_authority",
      "the endpoint serves an authority of our own trust domain: it is the endpoint of another one",
    );
  }
  const record = bundleRecordOf(fetched);
  const known = stored?.sequence ?? 0n;
  if (fetched.sequence !== undefined && record.sequence < known) {
    throw new FetchError(
      "bundle_sequence",
      `the endpoint serves sequence ${record.sequence}, which is behind ${known} that it served before`,
    );
  }
  const repeatsSequence =
    stored !== undefined &&
    fetched.sequence !== undefined &&
    record.sequence === known &&
    known !== 0n &&
    !sameContent(record, stored);
  return { record, repeatsSequence };
}

function keysOf(bundle: Bundle): readonly KeyObject[] {
  const { x509Authorities, jwtAuthorities, witAuthorities } = bundle;
  const all = [...x509Authorities, ...jwtAuthorities.values(), ...witAuthorities.values()];
  return all.map(({ publicKey }) => publicKey);
}
