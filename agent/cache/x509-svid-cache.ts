import type { Random } from "../../runtime/random.ts";
import type { Clock } from "../../runtime/time/clock.ts";
import { renewalDelayMs } from "../../runtime/time/due.ts";
import { hasLost, isTainted, type SigningAuthorities } from "../identity/signing-authorities.ts";
import type { CredentialBinding } from "./credential-binding.ts";
import type { CachedEntry } from "./entry.ts";
import { type Moment, type X509SvidOrder, X509SvidOrders } from "./x509-svid-orders.ts";
import { isAlive, lifeOf, type X509SvidRecord } from "./x509-svid-record.ts";
import { isStale, isWell, type Slot } from "./x509-svid-slot.ts";
import { isPrefetched, SlotTable } from "./x509-svid-slots.ts";

/** Longest pause between two attempts for one SVID. */
const MAX_RETRY_MS = 60_000;
const FIRST_RETRY_MS = 500;
/** How much later than the SVID that an open stream waits for an entry's spare is ordered. */
const SPARE_PAUSE_MS = 50;
/** What a tainted authority signed is replaced within this time, not in one burst. */
const TAINT_SPREAD_MS = 5_000;
/** Renewals wait for the end of the piece of time that they fall into, so that those of one piece go in one call. */
const RENEW_TOGETHER_MS = 250;

/** An X509-SVID as the state file keeps it. */
export interface StoredX509Svid {
  readonly record: X509SvidRecord;
  readonly instance: string | undefined;
  readonly executable: string | undefined;
}

export interface X509SvidCacheDeps {
  readonly clock: Clock;
  readonly random: Random;
  /** The most SVIDs that are held, spares among them. */
  readonly maxSvids: number;
  /** An instance's SVID came, went, or is not to be expected any more. */
  readonly onChange: (entryId: string) => void;
  /** Something may be due at once. */
  readonly onDue: () => void;
  readonly onBinding: (binding: CredentialBinding) => void;
}

/**
 * The X509-SVIDs of this node, each with its key, by entry and instance (D11). One spare is kept for every entry that is to be
 * prefetched: the first instance that asks takes it and another is ordered. No key is ever given to two instances, except of
 * an entry that says `shared`. Nobody's SVID is renewed without an open stream, unless its authority is tainted; it stays for its
 * instance until it expires or its authority leaves the bundle.
 */
export class X509SvidCache {
  readonly #deps: X509SvidCacheDeps;
  readonly #slots: SlotTable;
  readonly #orders: X509SvidOrders;
  #authorities: SigningAuthorities = { present: undefined, tainted: new Set() };

  constructor(deps: X509SvidCacheDeps) {
    this.#deps = deps;
    this.#slots = new SlotTable(deps.maxSvids);
    this.#orders = new X509SvidOrders(this.#slots);
  }

  /** How many SVIDs are held. */
  get size(): number {
    let held = 0;
    for (const slot of this.#slots.all()) if (slot.record !== undefined) held += 1;
    return held;
  }

  /** The end of the SVID in use that ends first. */
  nextExpiry(): Date | undefined {
    let next: Date | undefined;
    for (const { record, users } of this.#slots.all()) {
      if (record === undefined || users === 0) continue;
      if (next === undefined || record.notAfter < next) next = record.notAfter;
    }
    return next;
  }

  /** Takes in a new or changed entry: SVIDs of an older revision become due, those of another SPIFFE ID are dropped. */
  putEntry(entry: CachedEntry): void {
    for (const slot of this.#slots.of(entry.id)) {
      slot.entry = entry;
      slot.retryAtMs = 0;
      slot.attempts = 0;
      if (slot.record !== undefined && slot.record.spiffeId !== entry.spiffeId) {
        slot.record = undefined;
        this.#deps.onChange(entry.id);
      }
    }
    if (entry.prefetch) this.#slots.ensurePrefetched(entry, this.#deps.clock.monotonicMs());
    if ([...this.#slots.of(entry.id)].some(({ users }) => users > 0)) this.#pauseSpare(entry.id);
    this.#deps.onDue();
  }

  /** Forgets everything that was issued for an entry. */
  removeEntry(entryId: string): void {
    if (this.#slots.dropEntry(entryId)) this.#deps.onChange(entryId);
  }

  /**
   * Counts an open stream of an instance. If the instance has no SVID yet it takes the spare, and otherwise one is ordered.
   * Returns false when the cache is full and nothing idle can be forgotten.
   */
  use(entry: CachedEntry, instance: string, executable: string | undefined): boolean {
    const nowMs = this.#deps.clock.monotonicMs();
    const held = this.#slots.get(entry.id, instance);
    if (held === undefined && !this.#slots.makeRoom()) return false;
    const slot = held ?? this.#slots.add(entry, instance, nowMs);
    slot.users += 1;
    slot.executable ??= executable;
    slot.usedAtMs = nowMs;
    if (slot.record === undefined) {
      this.#takeSpare(slot);
      this.#pauseSpare(entry.id);
    }
    if (isStale(slot)) this.#deps.onDue();
    return true;
  }

  /** Takes one open stream off. */
  release(entryId: string, instance: string): void {
    const slot = this.#slots.get(entryId, instance);
    if (slot === undefined || slot.users === 0) return;
    slot.users -= 1;
    slot.usedAtMs = this.#deps.clock.monotonicMs();
    if (slot.users === 0 && slot.record === undefined && !slot.inFlight) this.#slots.drop(slot);
  }

  /** The SVID that an instance holds now; never one that has expired. */
  current(entryId: string, instance: string): X509SvidRecord | undefined {
    const record = this.#slots.get(entryId, instance)?.record;
    return record !== undefined && isAlive(record, this.#wallMs()) ? record : undefined;
  }

  /** Whether an SVID for the entry as it is now is on its way to an instance: ordered, and not failed so far. */
  isPending(entryId: string, instance: string): boolean {
    const slot = this.#slots.get(entryId, instance);
    return slot !== undefined && isStale(slot) && slot.attempts === 0;
  }

  /**
   * Up to `max` orders that are due, the most urgent kind only, so that nobody who waits does so behind renewals and spares.
   * Also forgets what has expired.
   */
  takeDue(max: number): readonly X509SvidOrder[] {
    this.forgetExpired();
    return this.#orders.take(max, this.#moment());
  }

  /** The monotonic time at which `takeDue` is to be asked again, unless `onDue` comes first. */
  nextDueAtMs(): number {
    return this.#orders.nextDueAtMs(this.#moment());
  }

  /** Drops the SVIDs whose time is up, and their keys with them; returns how many. */
  forgetExpired(): number {
    const wallMs = this.#wallMs();
    let forgotten = 0;
    for (const slot of this.#slots.all()) {
      if (slot.record === undefined || isAlive(slot.record, wallMs)) continue;
      forgotten += 1;
      slot.record = undefined;
      this.#deps.onChange(slot.entry.id);
      if (slot.users === 0 && !isPrefetched(slot)) this.#slots.drop(slot);
    }
    return forgotten;
  }

  /**
   * Puts in what an order brought. An SVID for an entry that has gone or changed its SPIFFE ID is thrown away; one whose authority
   * is not in the bundle counts as a failure.
   *
   * @returns whether it took the place of another one that would have done for longer
   */
  complete(order: X509SvidOrder, record: X509SvidRecord): boolean {
    if (!this.#isTrusted(record)) {
      this.fail(order);
      return false;
    }
    const slot = this.#orders.settle(order);
    if (slot === undefined || record.spiffeId !== slot.entry.spiffeId) {
      this.#deps.onDue();
      return false;
    }
    const wasWell = isWell(slot, this.#wallMs());
    slot.attempts = 0;
    slot.retryAtMs = 0;
    this.#takeIn(slot, record);
    if (slot.instance !== undefined) this.#bind(slot, slot.instance, record);
    else this.#giveSpareToWaiting(slot);
    this.#deps.onChange(order.entry.id);
    if (isStale(slot)) this.#deps.onDue();
    return wasWell;
  }

  /** Gives an order back. It is tried again after a growing, jittered pause. */
  fail(order: X509SvidOrder): void {
    const slot = this.#orders.settle(order);
    if (slot === undefined) return;
    if (slot.users === 0 && slot.record === undefined && !isPrefetched(slot)) {
      this.#slots.drop(slot);
      return;
    }
    const ceilingMs = Math.min(MAX_RETRY_MS, FIRST_RETRY_MS * 2 ** Math.min(slot.attempts, 20));
    slot.attempts += 1;
    slot.retryAtMs =
      this.#deps.clock.monotonicMs() + ceilingMs * (0.5 + this.#deps.random.uniform() / 2);
    this.#deps.onChange(order.entry.id);
  }

  /** Lets every order that waits for its next attempt go at once, for example since the server is back. */
  retryNow(): void {
    for (const slot of this.#slots.all()) {
      slot.retryAtMs = 0;
      slot.attempts = 0;
    }
    this.#deps.onDue();
  }

  /**
   * Drops what was revoked; where someone uses it, another is ordered. What is on order is thrown away when it comes: it may
   * have been signed before the server knew of the revocation.
   */
  revoke(isRevoked: (record: X509SvidRecord) => boolean): void {
    this.#orders.disown();
    for (const slot of this.#slots.all()) {
      if (slot.record === undefined || !isRevoked(slot.record)) continue;
      slot.record = undefined;
      this.#deps.onChange(slot.entry.id);
    }
    this.#deps.onDue();
  }

  /**
   * Learns what the own bundle says of the authorities, now and for what comes later. What hangs on one that has gone is dropped;
   * what hangs on a tainted one is renewed within a few seconds, idle instances and spares too, and served meanwhile.
   */
  setAuthorities(authorities: SigningAuthorities): void {
    this.#authorities = authorities;
    for (const slot of this.#slots.all()) {
      const { record } = slot;
      if (record === undefined) continue;
      if (!this.#isTrusted(record)) {
        slot.record = undefined;
        this.#deps.onChange(slot.entry.id);
        if (slot.users === 0 && !slot.inFlight && !isPrefetched(slot)) this.#slots.drop(slot);
      } else if (!slot.isTainted) this.#markTainted(slot, record);
    }
    this.#deps.onDue();
  }

  /** Everything that the state file is to keep. */
  stored(): readonly StoredX509Svid[] {
    const wallMs = this.#wallMs();
    const stored: StoredX509Svid[] = [];
    for (const { record, instance, executable } of this.#slots.all()) {
      if (record !== undefined && isAlive(record, wallMs))
        stored.push({ record, instance, executable });
    }
    return stored;
  }

  /** Puts back what the state file kept, for entries that are there; the rest is thrown away. */
  restore(
    stored: readonly StoredX509Svid[],
    entryOf: (id: string) => CachedEntry | undefined,
  ): void {
    const nowMs = this.#deps.clock.monotonicMs();
    const wallMs = this.#wallMs();
    for (const { record, instance, executable } of stored) {
      const entry = entryOf(record.entryId);
      if (entry === undefined || entry.spiffeId !== record.spiffeId) continue;
      if (!isAlive(record, wallMs) || !this.#isTrusted(record)) continue;
      const slot = this.#slots.get(entry.id, instance) ?? this.#slots.add(entry, instance, nowMs);
      slot.executable = executable;
      this.#putBack(slot, record);
    }
  }

  #moment(): Moment {
    return { nowMs: this.#deps.clock.monotonicMs(), wallMs: this.#wallMs() };
  }

  /** Taken once for a look at all slots: each reading of the clock is an object. */
  #wallMs(): number {
    return this.#deps.clock.now().getTime();
  }

  #isTrusted(record: X509SvidRecord): boolean {
    return !hasLost(this.#authorities, record.authorityKeyIds);
  }

  #markTainted(slot: Slot, record: X509SvidRecord): void {
    slot.isTainted = isTainted(this.#authorities, record.authorityKeyIds);
    if (!slot.isTainted) return;
    const { clock, random } = this.#deps;
    const soonMs = clock.monotonicMs() + TAINT_SPREAD_MS * random.uniform();
    slot.renewAtMs = Math.min(slot.renewAtMs, together(soonMs));
  }

  /** Puts in a record that the server has just signed. */
  #takeIn(slot: Slot, record: X509SvidRecord): void {
    const { clock } = this.#deps;
    const now = clock.now();
    slot.record = record;
    slot.renewAtMs = together(clock.monotonicMs() + renewalDelayMs({ ...record, now }));
    slot.lifeMs = Math.min(record.notAfter.getTime() - now.getTime(), lifeOf(record));
    this.#markTainted(slot, record);
  }

  #putBack(slot: Slot, record: X509SvidRecord): void {
    const { clock } = this.#deps;
    slot.record = record;
    slot.renewAtMs = together(clock.monotonicMs() + record.renewAt.getTime() - this.#wallMs());
    slot.lifeMs = lifeOf(record);
    this.#markTainted(slot, record);
  }

  // Ordered at the same moment as what an open stream waits for, it would take the node's and the server's time from that.
  #pauseSpare(entryId: string): void {
    const spare = this.#slots.get(entryId, undefined);
    if (spare === undefined || !isStale(spare)) return;
    spare.retryAtMs = Math.max(spare.retryAtMs, this.#deps.clock.monotonicMs() + SPARE_PAUSE_MS);
  }

  #takeSpare(slot: Slot): void {
    const spare = this.#slots.get(slot.entry.id, undefined);
    const record = spare?.record;
    if (spare === undefined || record === undefined || slot.instance === undefined) return;
    if (!isAlive(record, this.#wallMs())) return;
    slot.record = record;
    slot.renewAtMs = spare.renewAtMs;
    slot.isTainted = spare.isTainted;
    slot.lifeMs = spare.lifeMs;
    spare.record = undefined;
    this.#bind(slot, slot.instance, record);
    this.#deps.onDue();
  }

  // The instance's own order may be slower than the spare's, or have failed; whoever waits takes what is there.
  #giveSpareToWaiting(spare: Slot): void {
    for (const slot of this.#slots.of(spare.entry.id)) {
      if (slot.instance === undefined || slot.users === 0 || slot.record !== undefined) continue;
      if (slot.inFlight) continue;
      this.#takeSpare(slot);
      return;
    }
  }

  #bind(slot: Slot, instance: string, record: X509SvidRecord): void {
    this.#deps.onBinding({
      credential: record.serialNumber,
      entryId: record.entryId,
      spiffeId: record.spiffeId,
      instance,
      executable: slot.executable,
      boundAt: this.#deps.clock.now(),
    });
  }
}

function together(atMs: number): number {
  return Math.ceil(atMs / RENEW_TOGETHER_MS) * RENEW_TOGETHER_MS;
}
