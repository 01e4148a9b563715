import type Database from "better-sqlite3";

/** A list that may be long: all are counted, the first thousand are named. */
export interface Listed<Item> {
  readonly total: number;
  readonly items: readonly Item[];
}

export interface ListedId {
  readonly id: string;
  /** For entries: the SPIFFE ID that they grant. */
  readonly spiffeId?: string;
}

/** How the records of one kind differ between the backup and the store that it replaced. */
export interface RestoredKind {
  /** In the backup and not in the replaced store: whatever was deleted since is back. */
  readonly returned: Listed<ListedId>;
  /** In both, and as the backup has them: changes since are taken back. */
  readonly reverted: Listed<ListedId>;
  /** In the replaced store only: whatever was made since is gone. */
  readonly lost: Listed<ListedId>;
}

/** What a restored backup changed against the store that it replaced. */
export interface RestoreDifferences {
  readonly entries: RestoredKind;
  readonly nodes: RestoredKind;
  /** Agents that were banned since the backup was made and are not any more. */
  readonly unbannedNodes: Listed<ListedId>;
  readonly bundles: RestoredKind;
  /** Authorities: one that was tainted or revoked since is among the reverted. */
  readonly authorities: RestoredKind;
}

const MAX_NAMED = 1000;

interface Kind {
  readonly table: string;
  readonly id: string;
  /** An expression beside the ID to name with it. */
  readonly extra: string;
  /** What tells two versions of a record apart. */
  readonly version: readonly string[];
}

const ENTRIES: Kind = {
  table: "entries",
  id: "id",
  extra: "x.spiffe_id",
  version: ["revision_number", "created_at"],
};
const NODES: Kind = {
  table: "nodes",
  id: "id",
  extra: "null",
  version: ["serial", "new_serial", "banned", "selectors"],
};
const BUNDLES: Kind = {
  table: "bundles",
  id: "trust_domain",
  extra: "null",
  version: ["sequence", "authorities"],
};
const AUTHORITIES: Kind = { table: "authorities", id: "id", extra: "null", version: ["state"] };

/**
 * Compares the restored tables with those of the replaced store, which is attached to the connection as "replaced". Both have
 * the same schema.
 */
export function restoreDifferences(handle: Database.Database): RestoreDifferences {
  return {
    entries: differencesOf(handle, ENTRIES),
    nodes: differencesOf(handle, NODES),
    unbannedNodes: list(
      handle,
      `main.nodes x join replaced.nodes y on y.id = x.id where x.banned = 0 and y.banned = 1`,
      NODES,
    ),
    bundles: differencesOf(handle, BUNDLES),
    authorities: differencesOf(handle, AUTHORITIES),
  };
}

function differencesOf(handle: Database.Database, kind: Kind): RestoredKind {
  const { table, id, version } = kind;
  const differs = version.map((column) => `x.${column} <> y.${column}`).join(" or ");
  const only = (one: string, other: string): string =>
    `${one}.${table} x where not exists (select 1 from ${other}.${table} y where y.${id} = x.${id})`;
  return {
    returned: list(handle, only("main", "replaced"), kind),
    reverted: list(
      handle,
      `main.${table} x join replaced.${table} y on y.${id} = x.${id} where ${differs}`,
      kind,
    ),
    lost: list(handle, only("replaced", "main"), kind),
  };
}

function list(handle: Database.Database, source: string, { id, extra }: Kind): Listed<ListedId> {
  const total = handle.prepare(`select count(*) from ${source}`).pluck().get();
  const rows = handle
    .prepare<[], { readonly id: string; readonly extra: string | null }>(
      `select x.${id} as id, ${extra} as extra from ${source} limit ${MAX_NAMED}`,
    )
    .all();
  return {
    total: Number(total),
    items: rows.map((row) =>
      row.extra === null ? { id: row.id } : { id: row.id, spiffeId: row.extra },
    ),
  };
}
