import { syncDirectory } from "../files/replace-file.ts";
import { type JournalPosition, renderLine } from "./line.ts";
import type { Recovery } from "./recover.ts";
import { type OpenSegmentFile, openSegmentFile, type SegmentFile, segmentAt } from "./segment.ts";

/** What the end of a journal needs. */
export interface ChainFileOptions {
  /** Created with mode 0700 if it is missing. One journal and one process to a folder. */
  readonly directory: string;
  /** A segment that has reached this length is followed by a new one. */
  readonly maxSegmentBytes?: number;
  readonly openFile?: OpenSegmentFile;
}

const DEFAULT_SEGMENT_BYTES = 64 * 1024 * 1024;

/** The end of a journal, where lines are added: its newest segment, and the place and hash of the last durable line. */
export class ChainFile implements AsyncDisposable {
  readonly #options: ChainFileOptions;
  #file: SegmentFile;
  #fileBytes: number;
  #head: JournalPosition;

  private constructor(options: ChainFileOptions, file: SegmentFile, recovery: Recovery) {
    this.#options = options;
    this.#file = file;
    this.#fileBytes = recovery.segmentBytes;
    this.#head = recovery.head;
  }

  /** Goes on where a recovered journal ends. */
  static async open(options: ChainFileOptions, recovery: Recovery): Promise<ChainFile> {
    const file = await (options.openFile ?? openSegmentFile)(recovery.segment.path);
    await syncDirectory(options.directory);
    return new ChainFile(options, file, recovery);
  }

  /** The last durable line. */
  get head(): JournalPosition {
    return this.#head;
  }

  /**
   * Adds lines in one write; they are durable when it resolves, each at its position. When it rejects none is part of the chain, but
   * bytes may be left, which `repair` takes away.
   */
  async write(bodies: readonly string[]): Promise<readonly JournalPosition[]> {
    await this.#rotate();
    const positions: JournalPosition[] = [];
    let previous = this.#head;
    let text = "";
    for (const body of bodies) {
      const line = renderLine(previous, body);
      previous = { seq: line.seq, hash: line.hash };
      positions.push(previous);
      text += `${line.text}\n`;
    }
    const bytes = Buffer.from(text, "utf8");
    if (bytes.length > 0) await this.#file.write(bytes, this.#fileBytes);
    this.#fileBytes += bytes.length;
    this.#head = previous;
    return positions;
  }

  /** Takes away what a write that failed may have left of itself. */
  async repair(): Promise<void> {
    await this.#file.truncate(this.#fileBytes);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#file[Symbol.asyncDispose]();
  }

  async #rotate(): Promise<void> {
    const { directory, maxSegmentBytes, openFile } = this.#options;
    if (this.#fileBytes < (maxSegmentBytes ?? DEFAULT_SEGMENT_BYTES)) return;
    const next = segmentAt(directory, this.#head.seq + 1);
    const file = await (openFile ?? openSegmentFile)(next.path);
    try {
      await syncDirectory(directory);
    } catch (err) {
      await file[Symbol.asyncDispose]();
      throw err;
    }
    const old = this.#file;
    this.#file = file;
    this.#fileBytes = 0;
    // Its lines are on the disk already. What may fail is taking its room away, which readers take for nothing.
    try {
      await old[Symbol.asyncDispose]();
    } catch {
      // Nothing to be done, and nothing is lost.
    }
  }
}
