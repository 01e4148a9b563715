import type { CachedEntry } from "./entry.ts";
import type { X509SvidRecord } from "./x509-svid-record.ts";

/**
 * The place of one X509-SVID: an entry and an instance (D11), or an entry and no instance yet, which is its spare. Mutable,
 * and changed by X509SvidCache alone.
 */
export interface Slot {
  entry: CachedEntry;
  /** Undefined for the spare, which belongs to nobody until an instance takes it. */
  readonly instance: string | undefined;
  /** Open subscriptions of the instance. */
  users: number;
  /** Path of the executable that opened the first of them, for the record of who holds what. */
  executable: string | undefined;
  record: X509SvidRecord | undefined;
  /** Monotonic time at which the record is to be renewed, so that a jump of the wall clock renews nothing. */
  renewAtMs: number;
  /** An authority of the record is tainted: it is renewed even if nobody uses it now. */
  isTainted: boolean;
  /** How long the record was good for, by this machine's clock, when it arrived. */
  lifeMs: number;
  /** Monotonic time before which no new attempt is made. */
  retryAtMs: number;
  attempts: number;
  inFlight: boolean;
  /** Monotonic time of the last use, to know which idle one to forget first. */
  usedAtMs: number;
}

/** How soon a slot wants its SVID: a workload waits, one is to be renewed, or a spare is missing. */
export type Urgency = 0 | 1 | 2;

/** Whether anyone wants a fresh SVID here: an open stream, the spare, or the one SVID of a shared entry. */
export function isKept(slot: Slot): boolean {
  return slot.users > 0 || (slot.entry.prefetch && (slot.instance === undefined || isShared(slot)));
}

/** Whether the slot lacks an SVID for its entry as it is now. */
export function isStale(slot: Slot): boolean {
  return slot.record === undefined || slot.record.entryRevision !== slot.entry.revision;
}

/** Whether what the slot holds is for its entry as it is now, by an authority in good standing, and not near its end. */
export function isWell(slot: Slot, wallMs: number): boolean {
  return !isStale(slot) && !slot.isTainted && !hasLittleLeft(slot, wallMs);
}

/**
 * The monotonic time at which the slot wants an order; Infinity when it wants none.
 *
 * @param wallMs the wall clock
 */
export function dueAtMs(slot: Slot, wallMs: number): number {
  if (slot.inFlight || !(isKept(slot) || isTaintedRecord(slot))) return Number.POSITIVE_INFINITY;
  return isStale(slot) || hasLittleLeft(slot, wallMs)
    ? slot.retryAtMs
    : Math.max(slot.renewAtMs, slot.retryAtMs);
}

export function urgencyOf(slot: Slot): Urgency {
  if (slot.users > 0) return slot.record === undefined ? 0 : 1;
  return 2;
}

// A machine that slept, or whose clock was put right, finds out here that less is left than the timer says.
function hasLittleLeft({ record, lifeMs }: Slot, wallMs: number): boolean {
  return record !== undefined && record.notAfter.getTime() - wallMs <= lifeMs / 6;
}

function isTaintedRecord(slot: Slot): boolean {
  return slot.record !== undefined && slot.isTainted;
}

function isShared(slot: Slot): boolean {
  return slot.entry.instanceScope === "shared";
}
