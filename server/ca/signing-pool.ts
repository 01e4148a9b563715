import type { Logger } from "../../runtime/log.ts";
import type { KnownBadKeys } from "../policy/key-policy.ts";
import type { X509Authority } from "./authority.ts";
import { InPlaceJob } from "./in-place-job.ts";
import { signTbs } from "./sign-tbs.ts";
import type { SignedSvid, SigningJob } from "./signing-job.ts";
import type { WorkerResult } from "./signing-messages.ts";
import { SigningThread } from "./signing-thread.ts";
import type { SvidItem } from "./svid-preparation.ts";

/** How signing is spread over the machine. */
export interface SigningPoolOptions {
  /** Most threads beside the main one; none signs everything where it stands. */
  readonly threads: number;
  readonly knownBadKeys: KnownBadKeys;
  readonly log: Logger;
}

/** So many keep the event loop busy that reads and writes for them; and each takes memory. */
const MAX_THREADS = 8;

/** How many threads fit a machine. The event loop needs little of a core while they are busy, so no core is kept for it. */
export function signingThreadsFor(cores: number): number {
  return Math.min(cores, MAX_THREADS);
}

/** So many items before it, for each thread there is, make a job begin another thread: a few batches at once, not one. */
const BUSY_ITEMS = 16;
/** A call's items are spread over threads in parts of at least this many. */
const MIN_PART = 16;
/** Calls of no more items than this are signed where they stand: the way to a thread and back costs as much as a few signatures. */
const FEW_ITEMS = 3;
/** Most items that are under way where they stand; what comes on top goes to the threads. */
const MAX_IN_PLACE = 32;

/**
 * Spreads signing over worker threads, so that the event loop keeps serving. Small calls are signed where they stand, unless there
 * are many at once or the authority's key is a slow one. It begins with one thread, and has more as soon as there is work for them.
 */
export class SigningPool implements AsyncDisposable {
  readonly #options: SigningPoolOptions;
  #threads: SigningThread[] = [];
  /** Fewer than wanted once the machine has refused one, as at a limit of processes. */
  #mostThreads: number;
  #nextJob = 1;
  #inPlace = 0;

  constructor(options: SigningPoolOptions) {
    this.#options = options;
    this.#mostThreads = options.threads;
    if (this.#mostThreads > 0) this.#addThread();
  }

  /** Begins to check requests and to build certificates. */
  begin(authority: X509Authority, items: readonly SvidItem[]): SigningJob {
    const isSmall = items.length <= FEW_ITEMS && this.#inPlace + items.length <= MAX_IN_PLACE;
    if (this.#threads.length === 0 || (isSmall && isFast(authority))) {
      return this.#beginInPlace(authority, items);
    }
    return this.#beginInThreads(authority, items);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#threads.map((thread) => thread[Symbol.asyncDispose]()));
  }

  #beginInPlace(authority: X509Authority, items: readonly SvidItem[]): SigningJob {
    const job = new InPlaceJob(authority, items, this.#options.knownBadKeys);
    this.#inPlace += items.length;
    return {
      sign: async () => {
        try {
          return await job.sign();
        } finally {
          this.#inPlace -= items.length;
        }
      },
      drop: () => {
        this.#inPlace -= items.length;
      },
    };
  }

  #beginInThreads(authority: X509Authority, items: readonly SvidItem[]): SigningJob {
    const areBusy = this.#threads.every(({ load }) => load >= BUSY_ITEMS);
    if (areBusy && this.#threads.length < this.#mostThreads) this.#addThread();
    const parts = Math.min(this.#threads.length, Math.ceil(items.length / MIN_PART));
    const size = Math.ceil(items.length / parts);
    const threads = this.#threads.toSorted((a, b) => a.load - b.load);
    const begun = threads.slice(0, parts).map((thread, index) => {
      const job = this.#nextJob++;
      thread.begin(job, authority, items.slice(index * size, (index + 1) * size));
      return { thread, job };
    });
    return {
      sign: async () => {
        const results = await Promise.all(begun.map(({ thread, job }) => thread.sign(job)));
        return Promise.all(results.flat().map((result) => finish(authority, result)));
      },
      drop: () => {
        for (const { thread, job } of begun) thread.drop(job);
      },
    };
  }

  #addThread(): void {
    try {
      const thread = new SigningThread(this.#options.knownBadKeys, (err, hasWorked) => {
        this.#threads = this.#threads.filter((one) => one !== thread);
        this.#failed(err);
        // One that never did anything would be followed by another one like it, for ever.
        if (hasWorked) this.#addThread();
        else this.#mostThreads = this.#threads.length;
      });
      this.#threads.push(thread);
    } catch (err) {
      this.#failed(err);
      this.#mostThreads = this.#threads.length;
    }
  }

  #failed(err: unknown): void {
    this.#options.log.error({ err }, "Signing thread failed");
  }
}

/** An RSA signature takes up to milliseconds, in which the event loop would serve nobody. */
function isFast({ key }: X509Authority): boolean {
  return !key.type.startsWith("rsa");
}

/** Signs what a thread could not, because the key lives elsewhere. */
async function finish(authority: X509Authority, result: WorkerResult): Promise<SignedSvid> {
  if (!("tbsDer" in result)) return result;
  return { certificateDer: await signTbs(authority, result.tbsDer) };
}
