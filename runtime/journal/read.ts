import { createReadStream } from "node:fs";
import type { Segment } from "./segment.ts";

/** Longest line in bytes that a reader takes; what is longer was not written by us. */
export const MAX_LINE_BYTES: number = 4 * 1024 * 1024;

/** A line as it stands in a file. */
export interface RawLine {
  /** Without its end. A view of what was read, which nobody may change. */
  readonly bytes: Uint8Array;
  /** Where the line begins in the file. */
  readonly offset: number;
  /** Where the next line begins. */
  readonly end: number;
  /** False for what stands after the last line end: a write that was cut off. */
  readonly complete: boolean;
}

const LINE_END = 0x0a;
const PIECE_BYTES = 256 * 1024;

/**
 * The lines of one segment in order, read in pieces. Zeros at its end are room for lines to come, and nothing. A line beyond
 * {@link MAX_LINE_BYTES} ends the reading, as incomplete.
 */
export async function* readLines(segment: Segment): AsyncGenerator<RawLine> {
  let offset = 0;
  let pending: Uint8Array = new Uint8Array();
  for await (const chunk of createReadStream(segment.path, { highWaterMark: PIECE_BYTES })) {
    const piece: Uint8Array = chunk;
    pending = pending.length === 0 ? piece : Buffer.concat([pending, piece]);
    let start = 0;
    for (let at = pending.indexOf(LINE_END); at >= 0; at = pending.indexOf(LINE_END, start)) {
      const end = offset + at + 1 - start;
      yield { bytes: pending.subarray(start, at), offset, end, complete: true };
      offset = end;
      start = at + 1;
    }
    pending = pending.subarray(start);
    if (pending.length > MAX_LINE_BYTES) break;
  }
  if (pending.some((byte) => byte !== 0)) {
    yield { bytes: pending, offset, end: offset + pending.length, complete: false };
  }
}
