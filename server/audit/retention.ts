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

/** What records have to be for them to go; each limit that is given has to hold. */
export interface RemovalLimits {
  /** Older than this. */
  readonly time?: Date;
  /** At or before this sequence number. */
  readonly seq?: number;
}

/** How far the log can be cut off at a segment's end so that every record that goes keeps to the limits; undefined if not at all. */
export async function removalBefore(
  directory: string,
  { time, seq }: RemovalLimits,
): Promise<Removal | undefined> {
  let removal: Removal | undefined;
  const [, ...later] = await listSegments(directory);
  for (const segment of later) {
    const first = await firstLine(segment);
    if (first === undefined) break;
    // A segment begins after all records of the one before it were written.
    const begunAt = readAuditRecord(first)?.time;
    const isOld =
      time === undefined || (begunAt !== undefined && Date.parse(begunAt) < time.getTime());
    if (!isOld || (seq !== undefined && segment.firstSeq - 1 > seq)) break;
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
