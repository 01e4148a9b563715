import { formatDuration } from "../../runtime/config/duration.ts";
import { invalidArgument, permissionDenied } from "../../runtime/errors/status-error.ts";
import type { Grants } from "../config/roles.ts";
import { decideEntryWrite } from "../policy/entry-access.ts";
import type { EntryRecord } from "../store/records.ts";

/** What of an entry the rules look at. */
export type EntryToCheck = Pick<
  EntryRecord,
  | "spiffeId"
  | "parentId"
  | "admin"
  | "downstream"
  | "unrestrictedFederation"
  | "x509SvidTtlSeconds"
  | "jwtSvidTtlSeconds"
  | "side"
>;

/** The longest lifetimes that can be met with the authorities' schedule, in seconds. */
export interface TtlLimits {
  readonly x509Seconds: number;
  readonly jwtSeconds: number;
}

/** What every entry must say about itself. */
export interface EntryRequirements {
  readonly fields: readonly ("owner" | "purpose")[];
  readonly mode: "warn" | "refuse";
}

/** @throws {StatusError} PERMISSION_DENIED with the reason when the caller may not write such an entry */
export function checkEntryAccess(grants: Grants, entry: EntryToCheck): void {
  const decision = decideEntryWrite(grants, {
    spiffeId: { path: pathOf(entry.spiffeId) },
    parentId: { path: pathOf(entry.parentId) },
    admin: entry.admin,
    downstream: entry.downstream,
    unrestrictedFederation: entry.unrestrictedFederation,
    originCluster: entry.side.origin?.cluster,
  });
  if (decision.allowed) return;
  const { message, reasonCode: reason } = decision;
  // A reserved name is wrong whoever asks for it.
  throw reason === "reserved_id"
    ? invalidArgument(message, { reason })
    : permissionDenied(message, { reason });
}

/** @throws {StatusError} INVALID_ARGUMENT for an entry that could never do what it says */
export function checkEntry(entry: EntryToCheck, limits: TtlLimits): void {
  if (pathOf(entry.spiffeId) === "") {
    throw invalidArgument("spiffe_id: an entry's SPIFFE ID needs a path", { reason: "no_path" });
  }
  if (entry.spiffeId === entry.parentId) {
    throw invalidArgument("parent_id: an entry cannot be its own parent", { reason: "own_parent" });
  }
  checkTtl("x509_svid_ttl", entry.x509SvidTtlSeconds, limits.x509Seconds);
  checkTtl("jwt_svid_ttl", entry.jwtSvidTtlSeconds, limits.jwtSeconds);
}

/**
 * @returns what the entry should say about itself and does not
 * @throws {StatusError} INVALID_ARGUMENT where that is refused
 */
export function checkRequirements(
  side: { readonly owner: string; readonly purpose: string },
  { fields, mode }: EntryRequirements,
): readonly string[] {
  const missing = fields.filter((field) => side[field] === "");
  if (missing.length > 0 && mode === "refuse") {
    throw invalidArgument(`entry must name its ${missing.join(" and ")}`, {
      reason: "entry_incomplete",
    });
  }
  return missing.map((field) => `entry has no ${field}`);
}

function checkTtl(field: string, seconds: number, maxSeconds: number): void {
  if (seconds <= maxSeconds) return;
  const largest = formatDuration(maxSeconds * 1000);
  throw invalidArgument(
    `${field}: no authority lives long enough for it; the largest possible is ${largest}`,
    { reason: "ttl_unreachable" },
  );
}

function pathOf(id: string): string {
  const slash = id.indexOf("/", "spiffe://".length);
  return slash === -1 ? "" : id.slice(slash);
}
