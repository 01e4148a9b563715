import type { CachedEntry } from "./entry.ts";
import { dueAtMs, type Slot, type Urgency, urgencyOf } from "./x509-svid-slot.ts";
import type { SlotTable } from "./x509-svid-slots.ts";

/** A wish for one X509-SVID, which comes back with an SVID or without. */
export interface X509SvidOrder {
  readonly entry: CachedEntry;
  /** Undefined for a spare. */
  readonly instance: string | undefined;
}

/** The monotonic clock and the wall clock at one moment, in milliseconds. */
export interface Moment {
  readonly nowMs: number;
  readonly wallMs: number;
}

/** Which slots want an X509-SVID, and the orders for them that are on their way. */
export class X509SvidOrders {
  readonly #slots: SlotTable;
  readonly #inFlight = new Map<X509SvidOrder, Slot>();

  constructor(slots: SlotTable) {
    this.#slots = slots;
  }

  /** Up to `max` orders that are due, the most urgent kind only. */
  take(max: number, { nowMs, wallMs }: Moment): readonly X509SvidOrder[] {
    let urgency: Urgency = 2;
    let due: Slot[] = [];
    for (const slot of this.#slots.all()) {
      if (dueAtMs(slot, wallMs) > nowMs) continue;
      const its = urgencyOf(slot);
      if (its < urgency) due = [];
      if (its > urgency || due.length === max) continue;
      urgency = its;
      due.push(slot);
    }
    return due.map((slot) => {
      const order = { entry: slot.entry, instance: slot.instance };
      slot.inFlight = true;
      this.#inFlight.set(order, slot);
      return order;
    });
  }

  /** The monotonic time at which an order is due, or an SVID has expired; Infinity when there is neither. */
  nextDueAtMs({ nowMs, wallMs }: Moment): number {
    let next = Number.POSITIVE_INFINITY;
    for (const slot of this.#slots.all()) {
      const expiresAtMs =
        slot.record === undefined ? next : slot.record.notAfter.getTime() + nowMs - wallMs;
      next = Math.min(next, dueAtMs(slot, wallMs), expiresAtMs);
    }
    return next;
  }

  /** Takes an order back; undefined when its slot has gone, or nobody waits for this order any more. */
  settle(order: X509SvidOrder): Slot | undefined {
    const slot = this.#inFlight.get(order);
    this.#inFlight.delete(order);
    if (slot === undefined) return undefined;
    slot.inFlight = false;
    return this.#slots.has(slot) ? slot : undefined;
  }

  /** From now on nobody waits for what is on order: the same slots may be ordered for again. */
  disown(): void {
    for (const slot of this.#inFlight.values()) slot.inFlight = false;
    this.#inFlight.clear();
  }
}
