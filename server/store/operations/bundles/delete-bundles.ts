import { Status } from "../../../../runtime/errors/status-error.ts";
import type { BundleDeletion } from "../../contract/bundles.ts";
import type { ItemResult } from "../../contract/operation.ts";
import type { BundleRecord } from "../../records.ts";
import type { WriteContext, WriteOperation } from "../context.ts";
import { type EntryRow, entryFromRow } from "../entries/entry-rows.ts";
import { removeEntries, replaceEntry } from "../entries/entry-table.ts";
import { forgetDeleted } from "../relationships/relationship-table.ts";
import { bundleFromRow } from "./bundle-rows.ts";
import { bundleNotFound, findBundleRow } from "./write-bundles.ts";

export const deleteBundles: WriteOperation<"deleteBundles"> = async (context, input) => {
  const results: ItemResult<BundleRecord>[] = [];
  for (const trustDomain of input.trustDomains) {
    results.push(await deleteBundle(context, trustDomain, input.mode));
  }
  return results;
};

async function deleteBundle(
  context: WriteContext,
  trustDomain: string,
  mode: BundleDeletion,
): Promise<ItemResult<BundleRecord>> {
  const { db, record } = context;
  const row = await findBundleRow(db, trustDomain);
  if (row === undefined) return bundleNotFound();
  const entries = await federatingEntries(context, trustDomain);
  const bundle = bundleFromRow(row);
  switch (mode) {
    case "restrict":
      if (entries.length > 0) {
        return {
          ok: false,
          code: Status.FAILED_PRECONDITION,
          message: `cannot delete bundle; federated with ${entries.length} registration entries`,
          item: bundle,
        };
      }
      break;
    case "delete":
      await removeEntries(context, entries, "delete");
      break;
    case "dissociate":
      for (const entry of entries) await dissociate(context, entry, trustDomain);
      break;
  }
  await db.deleteFrom("bundles").where("trust_domain", "=", trustDomain).execute();
  record({ kind: "bundle", id: trustDomain, action: "delete", before: bundle });
  await forgetDeleted(context, trustDomain);
  return { ok: true, item: bundle };
}

async function federatingEntries({ db }: WriteContext, trustDomain: string): Promise<EntryRow[]> {
  return await db
    .selectFrom("entry_federations as f")
    .innerJoin("entries as e", "e.key", "f.entry_key")
    .selectAll("e")
    .where("f.trust_domain", "=", trustDomain)
    .orderBy("e.key")
    .execute();
}

/** The revision number rises, because agents that hold the entry must hear of it. */
async function dissociate(
  context: WriteContext,
  row: EntryRow,
  trustDomain: string,
): Promise<void> {
  const entry = entryFromRow(row);
  await replaceEntry(context, row, {
    ...entry,
    federatesWith: entry.federatesWith.filter((name) => name !== trustDomain),
    unrestrictedFederation: entry.unrestrictedFederation.filter((name) => name !== trustDomain),
    revisionNumber: entry.revisionNumber + 1,
  });
}
