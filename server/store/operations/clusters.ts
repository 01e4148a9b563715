import type { Selectable } from "kysely";
import { alreadyExists, notFound } from "../../../runtime/errors/status-error.ts";
import type { ClusterRecord } from "../records.ts";
import type { ClustersTable } from "../schema.ts";
import type { ReadOperation, WriteOperation } from "./context.ts";

export const listClusters: ReadOperation<"listClusters"> = async (db) => {
  const rows = await db.selectFrom("clusters").selectAll().orderBy("name").execute();
  return rows.map(clusterFromRow);
};

export const addCluster: WriteOperation<"addCluster"> = async (
  { db, record },
  { name, access, rules, now, actor },
) => {
  const existing = await db
    .selectFrom("clusters")
    .select("name")
    .where("name", "=", name)
    .executeTakeFirst();
  if (existing !== undefined) throw alreadyExists(`cluster ${name} already exists`);
  await db
    .insertInto("clusters")
    .values({
      name,
      access: JSON.stringify(access),
      rules: JSON.stringify(rules),
      created_at: now,
      created_by: actor,
    })
    .execute();
  record({ kind: "cluster", id: name, action: "create", after: { name } });
  return { name, access, rules, createdAt: now, createdBy: actor };
};

export const removeCluster: WriteOperation<"removeCluster"> = async ({ db, record }, { name }) => {
  const row = await db
    .selectFrom("clusters")
    .selectAll()
    .where("name", "=", name)
    .executeTakeFirst();
  if (row === undefined) throw notFound("cluster not found");
  await db.deleteFrom("clusters").where("name", "=", name).execute();
  record({ kind: "cluster", id: name, action: "delete", before: { name } });
  return clusterFromRow(row);
};

function clusterFromRow(row: Selectable<ClustersTable>): ClusterRecord {
  return {
    name: row.name,
    access: JSON.parse(row.access),
    rules: JSON.parse(row.rules),
    createdAt: row.created_at,
    createdBy: row.created_by,
  };
}
