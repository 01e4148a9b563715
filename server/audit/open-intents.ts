import type { AuditRecord } from "../../proto/audit/v1/record.ts";
import { parseLine } from "../../runtime/journal/line.ts";
import { readLines } from "../../runtime/journal/read.ts";
import { listSegments, type Segment } from "../../runtime/journal/segment.ts";
import { readAuditRecord } from "./audit-line.ts";
import type { AuditRef } from "./audit-log.ts";

/**
 * The intents whose end no record tells: what was under way when the server died. Reads back no further than the newest
 * checkpoint asks for, so it costs a minute of records and not a year of them.
 */
export async function findOpenIntents(directory: string): Promise<readonly AuditRef[]> {
  const intents = new Map<number, AuditRef>();
  const ended = new Set<number>();
  let openFrom: number | undefined;
  for (const segment of (await listSegments(directory)).toReversed()) {
    const limit = await readSegment(segment, intents, ended);
    openFrom ??= limit;
    if (openFrom !== undefined && segment.firstSeq <= openFrom) break;
  }
  const from = openFrom ?? 1;
  return [...intents.values()]
    .filter(({ seq }) => seq >= from && !ended.has(seq))
    .sort((a, b) => a.seq - b.seq);
}

/** Notes what a segment says; answers from where its newest checkpoint says that intents may be open. */
async function readSegment(
  segment: Segment,
  intents: Map<number, AuditRef>,
  ended: Set<number>,
): Promise<number | undefined> {
  let openFrom: number | undefined;
  for await (const { bytes, complete } of readLines(segment)) {
    const line = complete ? parseLine(bytes) : undefined;
    const record = line === undefined ? undefined : readAuditRecord(line);
    if (record === undefined) continue;
    const { seq, action, requestId, phase, intent } = record;
    if (phase === "intent") intents.set(seq, { seq, action, requestId });
    if (phase === "outcome" && intent !== null) ended.add(intent);
    openFrom = openFromOf(record) ?? openFrom;
  }
  return openFrom;
}

function openFromOf({ action, seq, details }: AuditRecord): number | undefined {
  // A start closes whatever was open before it.
  if (action === "audit.start") return seq;
  const openFrom = action === "audit.checkpoint" ? details?.["openFrom"] : undefined;
  return typeof openFrom === "number" ? openFrom : undefined;
}
