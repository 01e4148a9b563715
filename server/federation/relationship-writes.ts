import type { Bundle } from "../../spiffe/bundle/bundle.ts";
import { bundleRecordOf } from "../bundle/bundle-record.ts";
import type { ItemResult } from "../store/contract/operation.ts";
import type {
  RelationshipFields,
  RelationshipMode,
  RelationshipWrite,
} from "../store/contract/relationships.ts";
import type { RelationshipRecord } from "../store/records.ts";
import type { Store } from "../store/store.ts";

/** A relationship that a caller wants; what is absent of one that exists stays as it is. */
export interface WantedRelationship extends Partial<RelationshipFields> {
  readonly trustDomain: string;
  readonly bundle?: Bundle | undefined;
}

/** Who writes, and since when. */
export interface RelationshipWriter {
  readonly origin: string;
  readonly actor: string;
  readonly now: Date;
}

/** Writes relationships, in one transaction. Each item says what became of it. */
export async function writeRelationships(
  store: Pick<Store, "write">,
  wanted: readonly WantedRelationship[],
  mode: RelationshipMode,
  { origin, actor, now }: RelationshipWriter,
): Promise<{
  readonly results: readonly ItemResult<RelationshipRecord>[];
  readonly revision: bigint;
}> {
  const relationships = wanted.map(
    ({ trustDomain, endpoint, limits, bundle }): RelationshipWrite => ({
      trustDomain,
      set: { ...(endpoint && { endpoint }), ...(limits && { limits }) },
      ...(bundle && { bundle: bundleRecordOf(bundle) }),
    }),
  );
  const seconds = Math.floor(now.getTime() / 1000);
  const { output, revision } = await store.write("writeRelationships", {
    relationships,
    mode,
    origin,
    actor,
    now: seconds,
  });
  return { results: output, revision };
}
