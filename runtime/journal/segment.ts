import { constants, write } from "node:fs";
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

/** Room is made up to the next multiple of this many bytes. */
const ROOM_BYTES = 256 * 1024;
/** For how many more writes like the one that needs it room is made. */
const ROOM_WRITES = 16;
/** Most room, however long the lines: readers of the newest segment read it too. */
const MAX_ROOM_BYTES = 1024 * 1024;

/**
 * Opens a segment such that every write is on the disk when it returns: O_DSYNC is a write and an fdatasync in one step, and costs
 * one trip to the thread pool instead of two. Room for lines to come is made ahead, as zeros at the end of the file: a write that
 * does not make the file longer is on the disk in a fraction of the time, because the file system has nothing of its own to record.
 * Readers take no notice of the zeros, and a segment that is closed has none.
 *
 * @param roomBytes in pieces of how many bytes room is made; 0 for none
 */
export async function openSegmentFile(
  path: string,
  roomBytes: number = ROOM_BYTES,
): Promise<SegmentFile> {
  const { O_RDWR, O_CREAT, O_DSYNC, O_NOFOLLOW } = constants;
  const file = await open(path, O_RDWR | O_CREAT | O_DSYNC | O_NOFOLLOW, 0o600);
  return new DurableFile(file, (await file.stat()).size, roomBytes);
}

class DurableFile implements SegmentFile {
  readonly #file: FileHandle;
  /** Where the lines end. */
  #length: number;
  /** Where the file ends. */
  #fileEnd: number;
  readonly #roomBytes: number;
  #closed = false;

  constructor(file: FileHandle, length: number, roomBytes: number) {
    this.#file = file;
    this.#length = length;
    this.#fileEnd = length;
    this.#roomBytes = roomBytes;
  }

  async write(bytes: Uint8Array, offset: number): Promise<void> {
    const end = offset + bytes.length;
    const needsRoom = end > this.#fileEnd && this.#roomBytes > 0;
    const content = needsRoom ? this.#withRoom(bytes, offset) : bytes;
    await this.#write(content, offset);
    this.#length = end;
    this.#fileEnd = Math.max(this.#fileEnd, offset + content.length);
  }

  async truncate(length: number): Promise<void> {
    await this.#file.truncate(length);
    await this.#file.datasync();
    this.#length = length;
    this.#fileEnd = length;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    try {
      if (this.#fileEnd > this.#length) await this.#file.truncate(this.#length);
    } finally {
      await this.#file.close();
    }
  }

  /** The bytes and the room behind them: one write, since a second one would take as long again. */
  #withRoom(bytes: Uint8Array, offset: number): Uint8Array {
    const end = offset + bytes.length;
    const ahead = Math.min(ROOM_WRITES * bytes.length, MAX_ROOM_BYTES);
    const fileEnd = Math.ceil((end + ahead) / this.#roomBytes) * this.#roomBytes;
    const padded = new Uint8Array(fileEnd - offset);
    padded.set(bytes);
    return padded;
  }

  async #write(bytes: Uint8Array, offset: number): Promise<void> {
    let written = 0;
    while (written < bytes.length) {
      const rest = bytes.subarray(written);
      written += await writeAt(this.#file.fd, rest, offset + written);
    }
  }
}

/** FileHandle.write costs twice the processor time, and this is done for nearly every call that issues something. */
function writeAt(fd: number, bytes: Uint8Array, offset: number): Promise<number> {
  return new Promise((resolve, reject) => {
    write(fd, bytes, 0, bytes.length, offset, (err, written) => {
      if (err === null) resolve(written);
      else reject(err);
    });
  });
}
