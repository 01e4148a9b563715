import type { ReadOperation } from "../context.ts";
import { pageSizeOf, parsePageToken, toPage } from "../page-token.ts";
import { bundleFromRow } from "./bundle-rows.ts";
import { findBundleRow } from "./write-bundles.ts";

export const getBundle: ReadOperation<"getBundle"> = async (db, { trustDomain }) => {
  const row = await findBundleRow(db, trustDomain);
  return row && bundleFromRow(row);
};

export const listBundles: ReadOperation<"listBundles"> = async (db, { except, page }) => {
  const pageSize = pageSizeOf(page.pageSize);
  const [last] = page.pageToken === undefined ? [""] : parsePageToken(page.pageToken, [""]);
  let query = db.selectFrom("bundles").selectAll().where("trust_domain", ">", last);
  if (except !== undefined) query = query.where("trust_domain", "!=", except);
  const rows = await query
    .orderBy("trust_domain")
    .limit(pageSize + 1)
    .execute();
  return toPage(rows, pageSize, bundleFromRow, (row) => [row.trust_domain]);
};

export const countBundles: ReadOperation<"countBundles"> = async (db) => {
  const row = await db
    .selectFrom("bundles")
    .select((query) => query.fn.countAll<number>().as("count"))
    .executeTakeFirstOrThrow();
  return row.count;
};
