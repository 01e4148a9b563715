import { Status } from "../../../../runtime/errors/status-error.ts";
import type { EntryUpdate } from "../../contract/entries.ts";
import type { ItemRefused, ItemResult } from "../../contract/operation.ts";
import type { EntryRecord } from "../../records.ts";
import type { WriteContext, WriteOperation } from "../context.ts";
import { similarEntry } from "./create-entries.ts";
import { entryFromRow, identityOf } from "./entry-rows.ts";
import { entriesByIdentity, replaceEntry } from "./entry-table.ts";
import { knownBundles, unknownBundle } from "./federated-bundles.ts";
import { canonicalEntry } from "./new-records.ts";

/** Updates one entry after the other, so that each sees those before it. */
export const updateEntries: WriteOperation<"updateEntries"> = async (context, input) => {
  const results: ItemResult<EntryRecord>[] = [];
  for (const update of input.updates) {
    results.push(await updateEntry(context, update, input.actor));
  }
  return results;
};

async function updateEntry(
  context: WriteContext,
  { id, set, expectedRevision }: EntryUpdate,
  actor: string,
): Promise<ItemResult<EntryRecord>> {
  const { db } = context;
  const current = await db
    .selectFrom("entries")
    .selectAll()
    .where("id", "=", id)
    .executeTakeFirst();
  if (current === undefined) return entryNotFound();
  const before = entryFromRow(current);
  if (expectedRevision !== undefined && expectedRevision !== before.revisionNumber) {
    return entryChanged(before);
  }
  const after = canonicalEntry({
    ...before,
    ...set,
    id,
    createdAt: before.createdAt,
    revisionNumber: before.revisionNumber + 1,
    side: {
      ...before.side,
      ...set.side,
      createdBy: before.side.createdBy,
      updatedBy: actor,
    },
  });
  const [twin] = (await entriesByIdentity(db, [identityOf(after)])).values();
  if (twin !== undefined && twin.id !== id) return similarEntry(twin);
  const bundles = await knownBundles(db, after.federatesWith);
  const missing = after.federatesWith.find((trustDomain) => !bundles.has(trustDomain));
  if (missing !== undefined) return unknownBundle(missing);
  await replaceEntry(context, current, after);
  return { ok: true, item: after };
}

/** The refusal to touch an entry that does not exist. */
export function entryNotFound(): ItemRefused<EntryRecord> {
  return { ok: false, code: Status.NOT_FOUND, message: "entry not found" };
}

/** The refusal to touch an entry that is not what its caller has seen, and may have judged by. */
export function entryChanged(item: EntryRecord): ItemRefused<EntryRecord> {
  return { ok: false, code: Status.ABORTED, message: "entry changed meanwhile", item };
}
