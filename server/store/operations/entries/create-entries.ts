import type { Kysely } from "kysely";
import { Status } from "../../../../runtime/errors/status-error.ts";
import type { NewEntry } from "../../contract/entries.ts";
import type { ItemRefused, ItemResult } from "../../contract/operation.ts";
import type { EntryRecord } from "../../records.ts";
import type { Schema } from "../../schema.ts";
import type { WriteOperation } from "../context.ts";
import { entryFromRow, identityKey } from "./entry-rows.ts";
import {
  draftEntries,
  type EntryDraft,
  entriesByIdentity,
  entryRowsById,
  insertEntries,
} from "./entry-table.ts";
import { knownBundles, unknownBundle } from "./federated-bundles.ts";
import { newRecords } from "./new-records.ts";

/** Creates what can be created and says of the rest why not. Later items see earlier ones of the same batch. */
export const createEntries: WriteOperation<"createEntries"> = async (context, input) => {
  const wanted = draftEntries(newRecords(input));
  const { db } = context;
  const twins = await entriesByIdentity(
    db,
    wanted.map(({ row }) => row),
  );
  const sameId = await existingById(db, input.entries);
  const bundles = await knownBundles(
    db,
    input.entries.flatMap((entry) => entry.federatesWith),
  );
  const accepted: EntryDraft[] = [];
  const results = wanted.map((draft): ItemResult<EntryRecord> => {
    const { entry, row } = draft;
    const identity = identityKey(row);
    const twin = twins.get(identity);
    if (twin !== undefined) return similarEntry(twin);
    const namesake = sameId.get(entry.id);
    if (namesake !== undefined) return idInUse(namesake);
    const missing = entry.federatesWith.find((trustDomain) => !bundles.has(trustDomain));
    if (missing !== undefined) return unknownBundle(missing);
    twins.set(identity, entry);
    sameId.set(entry.id, entry);
    accepted.push(draft);
    return { ok: true, item: entry };
  });
  await insertEntries(context, accepted);
  return results;
};

/** The refusal of a second entry with the same parent, SPIFFE ID and selectors. Callers know this text. */
export function similarEntry(item: EntryRecord): ItemRefused<EntryRecord> {
  return { ok: false, code: Status.ALREADY_EXISTS, message: "similar entry already exists", item };
}

function idInUse(item: EntryRecord): ItemRefused<EntryRecord> {
  return {
    ok: false,
    code: Status.ALREADY_EXISTS,
    message: "an entry with this id already exists",
    item,
  };
}

async function existingById(
  db: Kysely<Schema>,
  entries: readonly NewEntry[],
): Promise<Map<string, EntryRecord>> {
  const rows = await entryRowsById(
    db,
    entries.map((entry) => entry.id),
  );
  return new Map([...rows].map(([id, row]) => [id, entryFromRow(row)]));
}
