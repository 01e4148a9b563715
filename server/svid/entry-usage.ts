import { describeError } from "../../runtime/errors/describe.ts";
import type { Logger } from "../../runtime/log.ts";
import type { Clock } from "../../runtime/time/clock.ts";
import type { EntryUse } from "../store/contract/entries.ts";
import type { Store } from "../store/store.ts";

const FLUSH_MS = 10_000;
/** Entries within one interval; the use of more is not recorded. */
const MAX_PENDING = 50_000;

/** What the recorder needs. */
export interface EntryUsageDeps {
  readonly store: Pick<Store, "write">;
  readonly clock: Clock;
  readonly log: Logger;
}

/** Remembers when something was last issued for an entry, and delivered, and writes it down in batches: it is for people. */
export class EntryUsage {
  readonly #deps: EntryUsageDeps;
  #issued = new Map<string, number>();
  #delivered = new Map<string, number>();

  constructor(deps: EntryUsageDeps) {
    this.#deps = deps;
  }

  issued(entryId: string): void {
    this.#note(this.#issued, entryId, this.#deps.clock.now());
  }

  delivered(entryId: string, at: Date): void {
    this.#note(this.#delivered, entryId, at);
  }

  /** Writes every ten seconds, and once more when `signal` aborts. */
  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await this.#deps.clock.sleep(FLUSH_MS, signal);
      await this.flush();
    }
  }

  /** Writes what has gathered. A failure costs some of it, and is logged. */
  async flush(): Promise<void> {
    const issued = usesOf(this.#issued);
    const delivered = usesOf(this.#delivered);
    this.#issued = new Map();
    this.#delivered = new Map();
    if (issued.length === 0 && delivered.length === 0) return;
    try {
      await this.#deps.store.write("recordEntryUse", { issued, delivered });
    } catch (err) {
      this.#deps.log.warn({ reason: describeError(err) }, "Could not record the use of entries");
    }
  }

  #note(uses: Map<string, number>, entryId: string, at: Date): void {
    if (uses.size < MAX_PENDING || uses.has(entryId)) {
      uses.set(entryId, Math.floor(at.getTime() / 1000));
    }
  }
}

function usesOf(uses: ReadonlyMap<string, number>): readonly EntryUse[] {
  return Array.from(uses, ([entryId, at]) => ({ entryId, at }));
}
