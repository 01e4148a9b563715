import type { CachedEntry } from "./entry.ts";
import { SHARED_INSTANCE } from "./instance.ts";
import type { Slot } from "./x509-svid-slot.ts";

/** The slots of this node, by entry and instance, and no more of them than there may be. */
export class SlotTable {
  readonly #max: number;
  /** By entry id, then by instance; the spare stands under undefined. */
  readonly #byEntry = new Map<string, Map<string | undefined, Slot>>();
  readonly #all = new Set<Slot>();

  constructor(max: number) {
    this.#max = max;
  }

  all(): Iterable<Slot> {
    return this.#all;
  }

  get(entryId: string, instance: string | undefined): Slot | undefined {
    return this.#byEntry.get(entryId)?.get(instance);
  }

  /** All slots of an entry. */
  of(entryId: string): Iterable<Slot> {
    return this.#byEntry.get(entryId)?.values() ?? [];
  }

  /** Whether a slot is still where it was put. */
  has(slot: Slot): boolean {
    return this.get(slot.entry.id, slot.instance) === slot;
  }

  /** Adds an empty slot, whatever the limit; see `makeRoom`. */
  add(entry: CachedEntry, instance: string | undefined, nowMs: number): Slot {
    const slot: Slot = {
      entry,
      instance,
      users: 0,
      executable: undefined,
      record: undefined,
      renewAtMs: 0,
      isTainted: false,
      lifeMs: 0,
      retryAtMs: 0,
      attempts: 0,
      inFlight: false,
      usedAtMs: nowMs,
    };
    const slots = this.#byEntry.get(entry.id);
    if (slots === undefined) this.#byEntry.set(entry.id, new Map([[instance, slot]]));
    else slots.set(instance, slot);
    this.#all.add(slot);
    return slot;
  }

  /** Adds the slot that is filled before anyone asks, unless it is there or the table is full. */
  ensurePrefetched(entry: CachedEntry, nowMs: number): void {
    const instance = entry.instanceScope === "shared" ? SHARED_INSTANCE : undefined;
    if (this.get(entry.id, instance) !== undefined || this.#all.size >= this.#max) return;
    this.add(entry, instance, nowMs);
  }

  drop(slot: Slot): void {
    if (!this.has(slot)) return;
    const slots = this.#byEntry.get(slot.entry.id);
    slots?.delete(slot.instance);
    this.#all.delete(slot);
    if (slots?.size === 0) this.#byEntry.delete(slot.entry.id);
  }

  /** Drops all slots of an entry; returns whether there were any. */
  dropEntry(entryId: string): boolean {
    for (const slot of this.of(entryId)) this.#all.delete(slot);
    return this.#byEntry.delete(entryId);
  }

  /** Makes room for one more slot by dropping the one that is missed least; returns false when all are in use. */
  makeRoom(): boolean {
    if (this.#all.size < this.#max) return true;
    let victim: Slot | undefined;
    for (const slot of this.all()) {
      if (slot.users > 0 || slot.inFlight) continue;
      if (victim === undefined || isMissedLess(slot, victim)) victim = slot;
    }
    if (victim === undefined) return false;
    this.drop(victim);
    return true;
  }
}

/** Whether the slot is there before anyone asks: the spare, or the one SVID of a shared entry. */
export function isPrefetched(slot: Slot): boolean {
  return slot.instance === undefined || slot.instance === SHARED_INSTANCE;
}

// Idle instances go before spares, the longest idle first.
function isMissedLess(slot: Slot, than: Slot): boolean {
  const isSpare = slot.instance === undefined;
  if (isSpare !== (than.instance === undefined)) return !isSpare;
  return slot.usedAtMs < than.usedAtMs;
}
