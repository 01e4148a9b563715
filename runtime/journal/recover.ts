import { createReadStream } from "node:fs";
import { type FileHandle, open, stat, truncate } from "node:fs/promises";
import { join } from "node:path";
import { syncDirectory } from "../files/replace-file.ts";
import { follows, GENESIS, GENESIS_HASH, type JournalPosition, parseLine } from "./line.ts";
import { readLines } from "./read.ts";
import { listSegments, type Segment, segmentAt } from "./segment.ts";

/** Where a journal that was opened goes on, and what had to be done for it. */
export interface Recovery {
  readonly head: JournalPosition;
  readonly segment: Segment;
  /** Length of the segment, which holds whole lines only. */
  readonly segmentBytes: number;
  /** Set when something after the last whole line was cut off. */
  readonly cut?: CutTail;
}

/** What stood after the last whole line: the trace of a crash in the middle of a write, or of a meddler. */
export interface CutTail {
  readonly bytes: number;
  /** Where it was put aside. */
  readonly path: string;
}

/**
 * Finds the end of a journal: the last line that continues the chain. What follows it is put aside into a file of its own, so
 * nothing is destroyed. Only the newest segment is looked at, and the end of the one before; verifyJournal looks at everything.
 */
export async function recoverJournal(directory: string): Promise<Recovery> {
  const segments = await listSegments(directory);
  const segment = segments.at(-1);
  if (segment === undefined) {
    return { head: GENESIS, segment: segmentAt(directory, 1), segmentBytes: 0 };
  }
  let head = await endOf(segments.at(-2), segment.firstSeq);
  let segmentBytes = 0;
  for await (const { bytes, end, complete } of readLines(segment)) {
    const line = complete ? parseLine(bytes) : undefined;
    // A first line that does not follow may follow one that was removed or spoilt: the chain goes on from it all the same.
    const isFirst = segmentBytes === 0 && line?.seq === segment.firstSeq;
    if (line === undefined || !(isFirst || follows(line, head))) break;
    head = { seq: line.seq, hash: line.hash };
    segmentBytes = end;
  }
  const cut = await cutTail(directory, segment, segmentBytes);
  return { head, segment, segmentBytes, ...(cut === undefined ? {} : { cut }) };
}

/** Where the segment that begins with `nextSeq` goes on from. */
async function endOf(segment: Segment | undefined, nextSeq: number): Promise<JournalPosition> {
  let hash = GENESIS_HASH;
  if (segment !== undefined) {
    for await (const { bytes, complete } of readLines(segment)) {
      hash = (complete ? parseLine(bytes)?.hash : undefined) ?? hash;
    }
  }
  return { seq: nextSeq - 1, hash };
}

async function cutTail(
  directory: string,
  segment: Segment,
  keepBytes: number,
): Promise<CutTail | undefined> {
  if ((await stat(segment.path)).size === keepBytes) return undefined;
  const bytes = await lengthOfTail(segment.path, keepBytes);
  if (bytes === 0) {
    await truncate(segment.path, keepBytes);
    return undefined;
  }
  const path = await copyFrom(segment.path, keepBytes, join(directory, `cut-${segment.firstSeq}`));
  await syncDirectory(directory);
  await truncate(segment.path, keepBytes);
  return { bytes, path };
}

/** How much stands behind the last whole line, without the room that was made for lines to come. */
async function lengthOfTail(path: string, keepBytes: number): Promise<number> {
  let length = 0;
  let at = 0;
  for await (const piece of createReadStream(path, { start: keepBytes })) {
    const bytes: Uint8Array = piece;
    const last = bytes.findLastIndex((byte) => byte !== 0);
    if (last >= 0) length = at + last + 1;
    at += bytes.length;
  }
  return length;
}

/** Copies what stands from `offset` on to a new file "<name>-<offset>.bin", or "-2.bin", ...; answers its path. */
async function copyFrom(source: string, offset: number, name: string): Promise<string> {
  await using from = await open(source, "r");
  const { path, file } = await createNew(`${name}-${offset}`);
  await using to = file;
  const piece = Buffer.alloc(256 * 1024);
  for (let at = offset; ; ) {
    const { bytesRead } = await from.read(piece, 0, piece.length, at);
    if (bytesRead === 0) break;
    await to.writeFile(piece.subarray(0, bytesRead));
    at += bytesRead;
  }
  await to.sync();
  return path;
}

/** What was put aside before stays as it is, also when the same place is cut again. */
async function createNew(
  name: string,
): Promise<{ readonly path: string; readonly file: FileHandle }> {
  for (let count = 1; ; count++) {
    const path = count === 1 ? `${name}.bin` : `${name}-${count}.bin`;
    try {
      return { path, file: await open(path, "wx", 0o600) };
    } catch (err) {
      if (!(err instanceof Error && "code" in err && err.code === "EEXIST")) throw err;
    }
  }
}
