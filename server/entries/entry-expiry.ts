import type { Logger } from "../../runtime/log.ts";
import type { Random } from "../../runtime/random.ts";
import { Backoff } from "../../runtime/time/backoff.ts";
import type { Clock } from "../../runtime/time/clock.ts";
import type { Commit } from "../store/commit.ts";
import type { Store } from "../store/store.ts";

export interface EntryExpiryDeps {
  readonly store: Pick<Store, "read" | "write" | "onCommit">;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
}

/** Entries that end in one transaction. */
const BATCH_SIZE = 500;

/** The longest sleep: the wall clock may have jumped meanwhile, and it decides. */
const MAX_SLEEP_MS = 60_000;

/**
 * Ends entries at their time: it sleeps until the earliest expiry, which the store's index names, and wakes earlier when a commit
 * brings an earlier one. Nothing is looked for while nothing can be due. Resolves once `signal` aborts.
 */
export async function runEntryExpiry(deps: EntryExpiryDeps, signal: AbortSignal): Promise<void> {
  const { clock, log, random } = deps;
  const backoff = new Backoff({ baseMs: 1000, maxMs: 60_000, random });
  const next = new NextExpiry();
  using _ = deps.store.onCommit((commit) => next.consider(commit));
  while (!signal.aborted) {
    try {
      if (next.mustAsk) await next.ask(deps.store);
      if (next.isDue(clock.now())) await expire(deps, next);
      else await next.wait(clock, signal);
      backoff.reset();
    } catch (err) {
      log.warn({ err }, "Ending expired entries failed");
      await clock.sleep(backoff.nextMs(), signal);
    }
  }
}

async function expire({ store, clock, log }: EntryExpiryDeps, next: NextExpiry): Promise<void> {
  const now = unixSeconds(clock.now());
  const { output: count } = await store.write("deleteExpiredEntries", { now, limit: BATCH_SIZE });
  next.mustAsk = true;
  if (count > 0) log.info({ count }, "Entries expired");
}

/** The earliest expiry that is known of, and the sleep until then. */
class NextExpiry {
  /** Whether the store has to be asked, because the earliest one has gone. */
  mustAsk = true;
  #at: number | undefined;
  #wake: AbortController | undefined;

  /** Reads the earliest expiry. Commits that come meanwhile count too. */
  async ask(store: EntryExpiryDeps["store"]): Promise<void> {
    this.mustAsk = false;
    this.#at = undefined;
    const at = await store.read("nextEntryExpiry", {});
    if (at !== undefined) this.#notLaterThan(at);
  }

  consider({ changes }: Commit): void {
    for (const change of changes) {
      if (change.kind !== "entry" || change.after === undefined) continue;
      if (change.after.expiresAt > 0) this.#notLaterThan(change.after.expiresAt);
    }
  }

  isDue(now: Date): boolean {
    return this.#at !== undefined && this.#at <= unixSeconds(now);
  }

  /** Sleeps until it may be due, or an earlier one comes up. */
  async wait(clock: Clock, signal: AbortSignal): Promise<void> {
    this.#wake = new AbortController();
    const untilMs = this.#at === undefined ? MAX_SLEEP_MS : this.#at * 1000 - clock.now().getTime();
    const either = AbortSignal.any([signal, this.#wake.signal]);
    await clock.sleep(Math.min(untilMs, MAX_SLEEP_MS), either);
  }

  #notLaterThan(at: number): void {
    if (this.#at !== undefined && this.#at <= at) return;
    this.#at = at;
    this.#wake?.abort();
  }
}

function unixSeconds(instant: Date): number {
  return Math.floor(instant.getTime() / 1000);
}
