import type { Grants } from "../config/roles.ts";

/** What of an entry decides who may write it. */
export interface EntryToWrite {
  readonly spiffeId: { readonly path: string };
  readonly parentId: { readonly path: string };
  readonly admin: boolean;
  readonly downstream: boolean;
  /** Trust domains whose limits do not bind the entry. */
  readonly unrestrictedFederation?: readonly string[] | undefined;
  /** The cluster that the entry came from; absent when it came from none. */
  readonly originCluster?: string | undefined;
}

/** Whether an entry may be written. */
export type EntryAccess =
  | { readonly allowed: true }
  | { readonly allowed: false; readonly reasonCode: EntryAccessReason; readonly message: string };

/** Why an entry may not be written. */
export type EntryAccessReason =
  | "no_role"
  | "reserved_id"
  | "needs_key_admin"
  | "needs_operator"
  | "id_outside_scope"
  | "parent_outside_scope"
  | "origin_outside_scope";

/**
 * Decides whether a caller may create an entry, change one into this or from this, or delete it. Of a change, both what was and what
 * is to be are asked about, so nobody can take over an entry outside of his scope by rewriting it.
 */
export function decideEntryWrite(grants: Grants, entry: EntryToWrite): EntryAccess {
  const { roles, registrar } = grants;
  if (!roles.has("registrar")) return deny("no_role", "writing entries needs the role registrar");
  if (isReserved(entry.spiffeId.path)) {
    return deny("reserved_id", "an entry's own SPIFFE ID must not be under /spire");
  }
  if ((entry.admin || entry.downstream) && !roles.has("key-admin")) {
    const flag = entry.admin ? "admin" : "downstream";
    return deny("needs_key_admin", `an entry with the flag ${flag} needs the role key-admin`);
  }
  // The limits of a relationship are the operator's to write, so they are the operator's to lift.
  if ((entry.unrestrictedFederation ?? []).length > 0 && !roles.has("operator")) {
    return deny("needs_operator", "lifting the limits of a federation needs the role operator");
  }
  if (registrar.ids?.every((pattern) => !pattern.matches(entry.spiffeId.path)) === true) {
    return deny("id_outside_scope", "the SPIFFE ID is outside of the registrar's scope");
  }
  if (registrar.parents?.every((pattern) => !pattern.matches(entry.parentId.path)) === true) {
    return deny("parent_outside_scope", "the parent ID is outside of the registrar's scope");
  }
  if (registrar.cluster !== undefined && entry.originCluster !== registrar.cluster) {
    return deny("origin_outside_scope", "the entry's origin is not the registrar's cluster");
  }
  return { allowed: true };
}

function isReserved(path: string): boolean {
  return path === "/spire" || path.startsWith("/spire/");
}

function deny(reasonCode: EntryAccessReason, message: string): EntryAccess {
  return { allowed: false, reasonCode, message };
}
