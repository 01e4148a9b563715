import { type JournalLine, parseLine } from "../../runtime/journal/line.ts";
import { readLines } from "../../runtime/journal/read.ts";
import { listSegments, type Segment } from "../../runtime/journal/segment.ts";
import { readAuditRecord } from "./audit-line.ts";

/** Up to where records are to go. */
export interface Removal {
  readonly throughSeq: number;
  /** Hash of the record `throughSeq`: what the first remaining one says it follows. */
  readonly throughHash: string;
}

/**
 * How far the log can be cut off at a segment's end so that every record that goes is older than a time, or at or before a
 * sequence number. Undefined if no whole segment is.
 */
export async function removalBefore(
  directory: string,
  limit: { readonly time: Date } | { readonly seq: number },
): Promise<Removal | undefined> {
  let removal: Removal | undefined;
  const [, ...later] = await listSegments(directory);
  for (const segment of later) {
    const first = await firstLine(segment);
    if (first === undefined) break;
    // A segment begins after all records of the one before it were written.
    const time = readAuditRecord(first)?.time;
    const isBefore =
      "seq" in limit
        ? segment.firstSeq - 1 <= limit.seq
        : time !== undefined && Date.parse(time) < limit.time.getTime();
    if (!isBefore) break;
    removal = { throughSeq: first.seq - 1, throughHash: first.prev };
  }
  return removal;
}

async function firstLine(segment: Segment): Promise<JournalLine | undefined> {
  for await (const { bytes, complete } of readLines(segment)) {
    return complete ? parseLine(bytes) : undefined;
  }
  return undefined;
}
