import { invalidArgument } from "../../runtime/errors/status-error.ts";
import type { AuthorityRecord } from "../store/records.ts";

// What may become of an authority. prepared → active → old → tainted → revoked; an old one may be revoked without having been tainted.
// Of one lane there is at most one active and at most one prepared. All pure; all records given are of one lane.

/** What a transition changes. */
export interface AuthorityChange {
  readonly put: readonly AuthorityRecord[];
  readonly remove: readonly AuthorityRecord[];
}

/** A new prepared authority. One that was prepared before and never signed gives way to it. */
export function prepare(
  records: readonly AuthorityRecord[],
  authority: AuthorityRecord,
): AuthorityChange {
  return { put: [authority], remove: records.filter(({ state }) => state === "prepared") };
}

/** @throws {StatusError} INVALID_ARGUMENT unless `id` is the prepared authority */
export function activate(records: readonly AuthorityRecord[], id: string): AuthorityChange {
  const next = find(records, id);
  if (next?.state !== "prepared") throw invalidArgument("unexpected authority ID");
  const signing = records.filter(({ state }) => state === "active");
  const retired = signing.map((one): AuthorityRecord => ({ ...one, state: "old" }));
  return { put: [...retired, { ...next, state: "active" }], remove: [] };
}

/** An authority that is not wanted any more: one that signs becomes an old one, one that never signed leaves the records. */
export function retire(records: readonly AuthorityRecord[], id: string): AuthorityChange {
  const one = find(records, id);
  if (one?.state === "active") return { put: [{ ...one, state: "old" }], remove: [] };
  return { put: [], remove: one?.state === "prepared" ? [one] : [] };
}

/** @throws {StatusError} INVALID_ARGUMENT unless `id` is an old authority */
export function taint(records: readonly AuthorityRecord[], id: string): AuthorityChange {
  const authority = findSpent(records, id, "taint");
  if (authority.state === "tainted") throw invalidArgument("authority is already tainted");
  return { put: [{ ...authority, state: "tainted" }], remove: [] };
}

/** @throws {StatusError} INVALID_ARGUMENT unless `id` is an old or a tainted authority */
export function revoke(records: readonly AuthorityRecord[], id: string): AuthorityChange {
  return { put: [{ ...findSpent(records, id, "revoke"), state: "revoked" }], remove: [] };
}

/** An authority whose time is over leaves the records. */
export function forget(records: readonly AuthorityRecord[], id: string): AuthorityChange {
  return { put: [], remove: records.filter((one) => one.id === id && one.state !== "active") };
}

/** The authorities as the local authority API shows them. */
export interface AuthoritySlots {
  readonly active?: AuthorityRecord;
  readonly prepared?: AuthorityRecord;
  /** The one that signed before the active one, tainted or not. */
  readonly old?: AuthorityRecord;
}

/** Sorts authorities into the slots of the API. */
export function slotsOf(records: readonly AuthorityRecord[]): AuthoritySlots {
  const active = records.findLast(({ state }) => state === "active");
  const prepared = records.findLast(({ state }) => state === "prepared");
  const old = records.findLast(({ state }) => state === "old" || state === "tainted");
  return {
    ...(active === undefined ? {} : { active }),
    ...(prepared === undefined ? {} : { prepared }),
    ...(old === undefined ? {} : { old }),
  };
}

function findSpent(
  records: readonly AuthorityRecord[],
  id: string,
  act: "taint" | "revoke",
): AuthorityRecord {
  if (id === "") throw invalidArgument("no authority ID provided");
  const authority = find(records, id);
  if (authority?.state === "active") {
    throw invalidArgument(`unable to ${act} current local authority`);
  }
  if (authority?.state === "prepared") {
    throw invalidArgument(`unable to ${act} a prepared authority`);
  }
  if (authority === undefined || authority.state === "revoked") {
    throw invalidArgument("unexpected authority ID");
  }
  return authority;
}

function find(records: readonly AuthorityRecord[], id: string): AuthorityRecord | undefined {
  return records.find((one) => one.id === id);
}
