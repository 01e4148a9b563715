import { constants } from "node:fs";
import { type FileHandle, open, readdir } from "node:fs/promises";
import { join } from "node:path";

/** A file of a journal. It is named by the sequence number of its first line, so the names sort in order. */
export interface Segment {
  readonly path: string;
  readonly firstSeq: number;
}

const NAME = /^(\d{16})\.jsonl$/;

/** The segments of a journal, oldest first. Other files in the folder are not looked at. */
export async function listSegments(directory: string): Promise<readonly Segment[]> {
  const names = (await readdir(directory)).filter((name) => NAME.test(name)).sort();
  return names.map((name) => segmentAt(directory, Number(name.slice(0, 16))));
}

/** The segment whose first line has a sequence number. */
export function segmentAt(directory: string, firstSeq: number): Segment {
  return { path: join(directory, `${String(firstSeq).padStart(16, "0")}.jsonl`), firstSeq };
}

/** A segment that is written to. */
export interface SegmentFile extends AsyncDisposable {
  /** Writes all of `bytes` at `offset`; durable when it resolves. */
  write(bytes: Uint8Array, offset: number): Promise<void>;
  /** Cuts the file. */
  truncate(length: number): Promise<void>;
}

/** How a segment is opened for writing; creates the file, with mode 0600, if it is missing. */
export type OpenSegmentFile = (path: string) => Promise<SegmentFile>;

/**
 * Opens a segment such that every write is on the disk when it returns: O_DSYNC is a write and an fdatasync in one step, and costs
 * one trip to the thread pool instead of two.
 */
export const openSegmentFile: OpenSegmentFile = async (path) => {
  const { O_RDWR, O_CREAT, O_DSYNC, O_NOFOLLOW } = constants;
  return new DurableFile(await open(path, O_RDWR | O_CREAT | O_DSYNC | O_NOFOLLOW, 0o600));
};

class DurableFile implements SegmentFile {
  readonly #file: FileHandle;

  constructor(file: FileHandle) {
    this.#file = file;
  }

  async write(bytes: Uint8Array, offset: number): Promise<void> {
    let written = 0;
    while (written < bytes.length) {
      const rest = bytes.subarray(written);
      written += (await this.#file.write(rest, 0, rest.length, offset + written)).bytesWritten;
    }
  }

  async truncate(length: number): Promise<void> {
    await this.#file.truncate(length);
    await this.#file.datasync();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#file.close();
  }
}
