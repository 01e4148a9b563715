import { createHash } from "node:crypto";
import type { ReadFeed } from "../../runtime/feed.ts";
import type { Random } from "../../runtime/random.ts";
import { Backoff } from "../../runtime/time/backoff.ts";
import type { Clock } from "../../runtime/time/clock.ts";
import { type FileContent, type FileLayout, FileSet } from "./file-set.ts";
import type { FileSpec } from "./file-spec.ts";
import type { IdentityStanding, IdentityState } from "./identity-state.ts";
import { renderFile } from "./render-file.ts";

/** What becomes of files whose identity is granted no longer. */
export interface Withdrawal {
  readonly action: "keep" | "remove";
  /** Milliseconds for which the identity may be gone before files are removed; an agent that starts has none for a moment. */
  readonly afterMs: number;
}

/** What a program is told of its files. Every call returns quickly, or is awaited before the next change is written. */
export interface FilesEvents {
  /** Files were written. @param changed their names; empty where everything was as it has to be already */
  readonly onWritten?: (
    changed: readonly string[],
    state: IdentityState,
    missing: readonly string[],
  ) => void | Promise<void>;
  /** The identity is granted no longer. @param removed whether the files are gone */
  readonly onWithdrawn?: (removed: boolean) => void;
  /** Writing failed and will be tried again; what was there before still is. */
  readonly onWriteFailed?: (err: Error, retryInMs: number) => void;
}

/** What is written, where and how. */
export interface WriterOptions extends FilesEvents {
  /** Folder of the files. */
  readonly directory: string;
  readonly files: readonly FileSpec[];
  /** "swap" unless given. */
  readonly layout?: FileLayout;
  /** Who may own the folder, beside root and the user of this process. */
  readonly directoryUid?: number | undefined;
  /** To keep the files unless given. */
  readonly withdrawal?: Withdrawal;
}

const FIRST_RETRY_MS = 500;
const MAX_RETRY_MS = 30_000;
const KEEP: Withdrawal = { action: "keep", afterMs: 0 };

/** Brings the files up to date whenever the identity changes, and tells of it. */
export class FilesWriter {
  readonly #options: WriterOptions;
  readonly #standing: ReadFeed<IdentityStanding>;
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #set: FileSet;
  /** PKCS#12 has salts in it, so it is made anew only when what is in it changes. */
  readonly #rendered = new Map<string, { readonly of: string; readonly content: Uint8Array }>();
  #isTold = false;

  constructor(
    options: WriterOptions,
    standing: ReadFeed<IdentityStanding>,
    clock: Clock,
    random: Random,
  ) {
    const { directory: path, layout = "swap", directoryUid: uid } = options;
    this.#options = options;
    this.#standing = standing;
    this.#clock = clock;
    this.#random = random;
    this.#set = new FileSet({ path, layout, uid, random });
  }

  async run(signal: AbortSignal): Promise<void> {
    const backoff = new Backoff({
      baseMs: FIRST_RETRY_MS,
      maxMs: MAX_RETRY_MS,
      random: this.#random,
    });
    for await (const _ of this.#standing.subscribe(signal)) {
      while (!signal.aborted) {
        try {
          await this.#apply(this.#standing.value, signal);
          backoff.reset();
          break;
        } catch (err) {
          const retryInMs = backoff.nextMs();
          const error = err instanceof Error ? err : new Error("writing files failed");
          this.#options.onWriteFailed?.(error, retryInMs);
          await this.#clock.sleep(retryInMs, signal);
        }
      }
    }
  }

  async #apply(standing: IdentityStanding, signal: AbortSignal): Promise<void> {
    switch (standing.kind) {
      case "waiting":
        return;
      case "held":
        this.#isTold = false;
        return await this.#write(standing.state);
      case "withdrawn":
        return await this.#withdraw(standing.wasHeld, signal);
    }
  }

  async #write(state: IdentityState): Promise<void> {
    const contents = this.#options.files.map((file) => this.#render(file, state));
    const changed = await this.#set.write(contents);
    const missing = contents.filter(({ content }) => content === undefined);
    await this.#options.onWritten?.(
      changed,
      state,
      missing.map(({ file }) => file.name),
    );
  }

  async #withdraw(wasHeld: boolean, signal: AbortSignal): Promise<void> {
    const { files, onWithdrawn, withdrawal = KEEP } = this.#options;
    if (wasHeld && !this.#isTold) {
      this.#isTold = true;
      onWithdrawn?.(false);
    }
    if (withdrawal.action === "keep") return;
    await this.#waitWhileWithdrawn(withdrawal.afterMs, signal);
    if (this.#standing.value.kind !== "withdrawn" || signal.aborted) return;
    const removed = await this.#set.remove(files);
    if (removed.length > 0) onWithdrawn?.(true);
  }

  /** Waits for so long, or until the identity is held again. */
  async #waitWhileWithdrawn(ms: number, signal: AbortSignal): Promise<void> {
    const over = new AbortController();
    const until = AbortSignal.any([signal, over.signal]);
    const timer = this.#clock.sleep(ms, until).then(() => over.abort());
    for await (const { kind } of this.#standing.subscribe(until)) {
      if (kind !== "withdrawn") break;
    }
    over.abort();
    await timer;
  }

  #render(file: FileSpec, state: IdentityState): FileContent {
    const now = this.#clock.now();
    if (file.type !== "pkcs12") {
      return { file, content: renderFile(file, state, now, this.#random) };
    }
    const of = fingerprint(state);
    const before = this.#rendered.get(file.name);
    if (before?.of === of) return { file, content: before.content };
    const content = renderFile(file, state, now, this.#random);
    if (content === undefined) this.#rendered.delete(file.name);
    else this.#rendered.set(file.name, { of, content });
    return { file, content };
  }
}

function fingerprint({ svid, bundles }: IdentityState): string {
  const hash = createHash("sha256").update(svid.certificatesDer);
  for (const { trustDomain, x509Authorities } of bundles) {
    hash.update(trustDomain.name);
    for (const { der } of x509Authorities) hash.update(der);
  }
  return hash.digest("hex");
}
