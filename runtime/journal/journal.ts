import { mkdir, rm } from "node:fs/promises";
import { setImmediate as turnEnd } from "node:timers/promises";
import { describeError } from "../errors/describe.ts";
import { Feed, type ReadFeed } from "../feed.ts";
import { syncDirectory } from "../files/replace-file.ts";
import type { Clock } from "../time/clock.ts";
import { ChainFile, type ChainFileOptions } from "./chain-file.ts";
import type { JournalPosition } from "./line.ts";
import { type CutTail, recoverJournal } from "./recover.ts";
import { listSegments } from "./segment.ts";

// A journal is a file of JSON lines, each of which names its place and the hash of the line before it. So a line can be neither
// changed nor taken out of the middle unseen; that none is missing at the end, only a witness of a later head can tell.

/** What a journal needs. */
export interface JournalOptions extends ChainFileOptions {
  readonly clock: Clock;
  /** Most lines that wait for a disk that cannot be written to, or is slower than they come. */
  readonly maxHeld?: number;
  /** The line that is written first when writing works again. */
  readonly recoveredBody?: (outage: JournalOutage) => string;
}

/** Whether lines can be written. */
export type JournalState =
  | { readonly writable: true }
  | { readonly writable: false; readonly since: Date; readonly cause: string };

/** What happened while nothing could be written. */
export interface JournalOutage {
  readonly since: Date;
  readonly cause: string;
  /** Lines that were waited for and refused. */
  readonly refused: number;
  /** Lines that nobody waited for and that found no room to wait. */
  readonly dropped: number;
}

/** The journal cannot be written to at present. */
export class JournalUnwritableError extends Error {
  override readonly name = "JournalUnwritableError";
}

interface Waiting {
  readonly body: string;
  readonly written?: (position: JournalPosition) => void;
  readonly refused?: (err: Error) => void;
}

const DEFAULT_HELD = 100_000;
const MAX_GROUP_LINES = 2000;
const RETRY_MS = 1000;
/**
 * How long one write may take. A disk that is only slow has answered by then; after it whoever waits is better told than left
 * waiting, since callers give up after about as long.
 */
const STALL_MS = 10_000;
/** How much longer a journal that is closed waits for a disk that does not answer. */
const CLOSE_MS = 5_000;
/** How long a line that nobody waits for may wait for one that somebody does, whose write takes it along. */
const LINGER_MS = 20;

/**
 * The one writer of a journal. Lines are written in the order in which they were given. Whatever gathers while one write is on its
 * way to the disk is the next write, so a line that is waited for waits for nothing but the disk. Lines that nobody waits for ride
 * along; by themselves they cause a write after a moment.
 *
 * When the disk does not take a write, nothing of it remains: lines that are waited for are refused, the others are held, and the
 * journal tries again every second.
 *
 * When the disk does not answer, lines behind the write that is under way are treated the same. Those of that write keep waiting,
 * because it may still succeed; nothing else is written before it is known what became of it.
 */
export class Journal implements AsyncDisposable {
  /** What an earlier crash left half-written, if anything. */
  readonly cut: CutTail | undefined;

  readonly #options: JournalOptions;
  readonly #state = new Feed<JournalState>({ writable: true });
  readonly #closed = new AbortController();
  readonly #chain: ChainFile;
  #queue: Waiting[] = [];
  /** How many lines of the queue are waited for. */
  #awaited = 0;
  #lingering = false;
  #writing: Promise<void> | undefined;
  /** When the write that is under way began, on the monotonic clock. */
  #writeSinceMs: number | undefined;
  #watching = false;
  readonly #flushing: (() => void)[] = [];
  #outage: { since: Date; cause: string; refused: number; dropped: number } | undefined;

  private constructor(options: JournalOptions, chain: ChainFile, cut: CutTail | undefined) {
    this.#options = options;
    this.#chain = chain;
    this.cut = cut;
  }

  static async open(options: JournalOptions): Promise<Journal> {
    await mkdir(options.directory, { recursive: true, mode: 0o700 });
    const recovery = await recoverJournal(options.directory);
    return new Journal(options, await ChainFile.open(options, recovery), recovery.cut);
  }

  /** The last durable line. */
  get head(): JournalPosition {
    return this.#chain.head;
  }

  get state(): ReadFeed<JournalState> {
    return this.#state;
  }

  /**
   * Adds a line; resolves when it is durable.
   *
   * @param body a JSON object without the fields "seq" and "prev", of at least one field
   * @throws {JournalUnwritableError} and then the line is not in the journal
   */
  append(body: string): Promise<JournalPosition> {
    this.#limitQueue();
    if (this.#outage !== undefined) {
      this.#outage.refused += 1;
      return Promise.reject(new JournalUnwritableError(this.#outage.cause));
    }
    if (this.#closed.signal.aborted) {
      return Promise.reject(new JournalUnwritableError("the journal is closed"));
    }
    return new Promise((written, refused) => {
      this.#queue.push({ body, written, refused });
      this.#awaited += 1;
      this.#start();
    });
  }

  /** Adds a line that nobody waits for. While nothing can be written it is held, as far as there is room. */
  enqueue(body: string): void {
    this.#limitQueue();
    if (this.#outage !== undefined && this.#queue.length >= this.#maxHeld) {
      this.#outage.dropped += 1;
      return;
    }
    this.#queue.push({ body });
    if (this.#queue.length >= MAX_GROUP_LINES) this.#start();
    else this.#linger();
  }

  /** Resolves when every line given so far has been written or refused. Held lines are not waited for. */
  flush(): Promise<void> {
    if (this.#outage !== undefined) return Promise.resolve();
    if (this.#writing === undefined && this.#queue.length === 0) return Promise.resolve();
    return new Promise((resolve) => {
      this.#flushing.push(resolve);
      this.#start();
    });
  }

  /** Removes every segment whose lines are all at or before `seq`, except the one that is written to. */
  async removeThrough(seq: number): Promise<readonly string[]> {
    const { directory } = this.#options;
    const segments = await listSegments(directory);
    const gone = segments.filter((_, index) => {
      const next = segments[index + 1];
      return next !== undefined && next.firstSeq <= seq + 1;
    });
    for (const { path } of gone) await rm(path);
    if (gone.length > 0) await syncDirectory(directory);
    return gone.map(({ path }) => path);
  }

  /**
   * Writes what is waiting, then closes. Lines held by a disk that still cannot be written to are lost. A disk that does not answer is
   * not waited for without end: then the file stays open, because a write may still be under way in it.
   */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.flush();
    this.#closed.abort();
    const done = new AbortController();
    const late = this.#options.clock.sleep(CLOSE_MS, done.signal);
    await Promise.race([this.#close(), late]).finally(() => done.abort());
  }

  async #close(): Promise<void> {
    await this.#writing;
    await this.#chain[Symbol.asyncDispose]();
  }

  get #maxHeld(): number {
    return this.#options.maxHeld ?? DEFAULT_HELD;
  }

  #start(): void {
    this.#writing ??= this.#write().finally(() => {
      this.#writing = undefined;
      const isClosed = this.#closed.signal.aborted;
      // What was given, or asked for, after the last look at the queue.
      if (this.#isPressing && !isClosed) return this.#start();
      this.#endFlushes();
      if (this.#queue.length > 0 && !isClosed) this.#linger();
    });
  }

  #linger(): void {
    if (this.#lingering) return;
    this.#lingering = true;
    void this.#options.clock.sleep(LINGER_MS, this.#closed.signal).then(() => {
      this.#lingering = false;
      if (this.#queue.length > 0 && !this.#closed.signal.aborted) this.#start();
    });
  }

  /** Whether what is in the queue cannot wait for company. */
  get #isPressing(): boolean {
    const { length } = this.#queue;
    if (this.#awaited > 0 || this.#outage !== undefined || length >= MAX_GROUP_LINES) return true;
    return length > 0 && (this.#flushing.length > 0 || this.#closed.signal.aborted);
  }

  async #write(): Promise<void> {
    do {
      // The event loop then has handled everything that had arrived when it last looked: all lines that come of it, from whichever
      // connections, are one write.
      await turnEnd();
      const group = this.#queue.splice(0, MAX_GROUP_LINES);
      // Whoever asked for a flush by now has nothing behind this group; later lines, which may never cease, are not waited for.
      const flushed = this.#queue.length > 0 ? 0 : this.#flushing.length;
      this.#awaited -= group.reduce((sum, { written }) => sum + (written === undefined ? 0 : 1), 0);
      try {
        await this.#writeWatched(group);
        this.#endFlushes(flushed);
      } catch (err) {
        this.#fail([...group, ...this.#queue], err);
        await this.#options.clock.sleep(RETRY_MS, this.#closed.signal);
        if (this.#closed.signal.aborted) return;
      }
    } while (this.#isPressing);
  }

  async #writeWatched(group: readonly Waiting[]): Promise<void> {
    this.#writeSinceMs = this.#options.clock.monotonicMs();
    void this.#watch();
    try {
      await this.#writeGroup(group);
    } finally {
      this.#writeSinceMs = undefined;
    }
  }

  /**
   * Refuses those behind a write that takes too long. A timer for each write would cost as much as a part of the write, so one timer
   * serves all that begin while it runs.
   */
  async #watch(): Promise<void> {
    if (this.#watching) return;
    this.#watching = true;
    const { clock } = this.#options;
    const { signal } = this.#closed;
    while (this.#writeSinceMs !== undefined && !signal.aborted) {
      const leftMs = this.#writeSinceMs + STALL_MS - clock.monotonicMs();
      if (leftMs <= 0 && this.#outage === undefined) {
        this.#fail(this.#queue, new Error(`the disk has not answered for ${STALL_MS / 1000} s`));
      }
      await clock.sleep(leftMs > 0 ? leftMs : STALL_MS, signal);
    }
    this.#watching = false;
  }

  /** Takes a queue that is full for a disk that cannot be written to: it does not take what comes. */
  #limitQueue(): void {
    if (this.#outage !== undefined || this.#queue.length < this.#maxHeld) return;
    this.#fail(this.#queue, new Error(`${this.#queue.length} lines wait for the disk`));
    this.#start();
  }

  async #writeGroup(group: readonly Waiting[]): Promise<void> {
    const outage = this.#outage;
    const { recoveredBody } = this.#options;
    if (outage !== undefined) await this.#chain.repair();

    const told = { refused: outage?.refused ?? 0, dropped: outage?.dropped ?? 0 };
    const bodies = group.map(({ body }) => body);
    if (outage !== undefined && recoveredBody !== undefined) bodies.unshift(recoveredBody(outage));
    const positions = await this.#chain.write(bodies);

    const own = positions.slice(positions.length - group.length);
    for (const [index, position] of own.entries()) group[index]?.written?.(position);
    if (outage === undefined) return;
    outage.refused -= told.refused;
    outage.dropped -= told.dropped;
    // Lines were lost while the line that tells of the outage was written: another one tells of them.
    if (outage.dropped > 0) return;
    this.#outage = undefined;
    this.#state.set({ writable: true });
  }

  /** Begins an outage or goes on with it: of `lines`, those that are waited for are refused, the others are the queue. */
  #fail(lines: readonly Waiting[], err: unknown): void {
    const cause = describeError(err);
    this.#outage ??= { since: this.#options.clock.now(), cause, refused: 0, dropped: 0 };
    this.#state.set({ writable: false, since: this.#outage.since, cause });
    const held: Waiting[] = [];
    for (const waiting of lines) {
      if (waiting.refused === undefined) {
        held.push(waiting);
      } else {
        waiting.refused(new JournalUnwritableError(cause, { cause: err }));
        this.#outage.refused += 1;
      }
    }
    this.#outage.dropped += Math.max(0, held.length - this.#maxHeld);
    this.#queue = held.slice(0, this.#maxHeld);
    this.#awaited = 0;
    this.#endFlushes();
  }

  /** Ends those that were asked for first. */
  #endFlushes(count: number = this.#flushing.length): void {
    for (const resolve of this.#flushing.splice(0, count)) resolve();
  }
}
