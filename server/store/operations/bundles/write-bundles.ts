import type { Kysely } from "kysely";
import { Status } from "../../../../runtime/errors/status-error.ts";
import type { BundleField, BundleWrite } from "../../contract/bundles.ts";
import type { ItemRefused, ItemResult } from "../../contract/operation.ts";
import type { BundleRecord } from "../../records.ts";
import type { Schema } from "../../schema.ts";
import type { WriteContext, WriteOperation } from "../context.ts";
import { forgetDeleted } from "../relationships/relationship-table.ts";
import { type BundleRow, bundleFromRow, bundleToRow } from "./bundle-rows.ts";

export const writeBundles: WriteOperation<"writeBundles"> = async (
  context,
  { bundles, mode, fields },
) => {
  const results: ItemResult<BundleRecord>[] = [];
  for (const wanted of bundles) {
    const current = await findBundleRow(context.db, wanted.trustDomain);
    const bundle = current && fields ? takeFields(bundleFromRow(current), wanted, fields) : wanted;
    const refused = refuse(mode, current);
    if (refused === undefined) {
      await putBundle(context, bundle, current);
      await forgetDeleted(context, wanted.trustDomain);
    }
    results.push(refused ?? { ok: true, item: bundle });
  }
  return results;
};

function takeFields(
  current: BundleRecord,
  wanted: BundleRecord,
  fields: readonly BundleField[],
): BundleRecord {
  return { ...current, ...Object.fromEntries(fields.map((field) => [field, wanted[field]])) };
}

/** The row of a bundle, or undefined. */
export async function findBundleRow(
  db: Kysely<Schema>,
  trustDomain: string,
): Promise<BundleRow | undefined> {
  return await db
    .selectFrom("bundles")
    .selectAll()
    .where("trust_domain", "=", trustDomain)
    .executeTakeFirst();
}

/** Writes a bundle over the one there is, if it differs from it; returns whether it does. */
export async function putBundle(
  { db, record }: WriteContext,
  bundle: BundleRecord,
  current: BundleRow | undefined,
): Promise<boolean> {
  const row = bundleToRow(bundle);
  const id = bundle.trustDomain;
  if (current === undefined) {
    await db.insertInto("bundles").values(row).execute();
    record({ kind: "bundle", id, action: "create", after: bundle });
    return true;
  }
  const same =
    row.sequence === current.sequence &&
    row.refresh_hint === current.refresh_hint &&
    row.authorities === current.authorities;
  if (same) return false;
  await db.updateTable("bundles").set(row).where("trust_domain", "=", id).execute();
  record({ kind: "bundle", id, action: "update", before: bundleFromRow(current), after: bundle });
  return true;
}

function refuse(
  mode: BundleWrite,
  current: BundleRow | undefined,
): ItemRefused<BundleRecord> | undefined {
  if (mode === "create" && current !== undefined) {
    const item = bundleFromRow(current);
    return { ok: false, code: Status.ALREADY_EXISTS, message: "bundle already exists", item };
  }
  if (mode === "update" && current === undefined) return bundleNotFound();
  return undefined;
}

/** The refusal to touch a bundle that does not exist. */
export function bundleNotFound(): ItemRefused<BundleRecord> {
  return { ok: false, code: Status.NOT_FOUND, message: "bundle not found" };
}
