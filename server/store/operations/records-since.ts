import { changesSince } from "./change-log.ts";
import { inChunks } from "./chunks.ts";
import type { ReadOperation } from "./context.ts";
import { authorizedEntryFromRow } from "./entries/entry-rows.ts";
import { entryRowsById } from "./entries/entry-table.ts";
import { nodeFromRow } from "./nodes/node-rows.ts";

/** Beyond this many changes, reading everything is the better way. */
const MAX_CHANGES = 50_000;

/** One query sees one state of the store, so the records are those of `head` and none is newer. */
export const recordsSince: ReadOperation<"recordsSince"> = async (db, { revision }) => {
  const log = await changesSince(db, { revision, limit: MAX_CHANGES });
  if (revision < log.floor || log.through !== log.head) return undefined;
  const changed = (kind: string): string[] => [
    ...new Set(log.changes.filter((change) => change.kind === kind).map(({ id }) => id)),
  ];
  const entryIds = changed("entry");
  const rows = await entryRowsById(db, entryIds);
  const nodeIds = changed("node");
  const nodes = new Map<string, ReturnType<typeof nodeFromRow>>();
  for (const chunk of inChunks(nodeIds)) {
    const found = await db.selectFrom("nodes").selectAll().where("id", "in", chunk).execute();
    for (const row of found) nodes.set(row.id, nodeFromRow(row));
  }
  return {
    head: log.head,
    entries: entryIds.map((id) => {
      const row = rows.get(id);
      return row === undefined ? { id } : { id, record: authorizedEntryFromRow(row) };
    }),
    nodes: nodeIds.map((id) => {
      const record = nodes.get(id);
      return record === undefined ? { id } : { id, record };
    }),
  };
};
