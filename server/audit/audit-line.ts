import {
  AUDIT_SCHEMA,
  type AuditDraft,
  type AuditPhase,
  type AuditRecord,
  completeFacts,
} from "../../proto/audit/v1/record.ts";
import { type JournalLine, readFields } from "../../runtime/journal/line.ts";

/** Where a record comes from; the same for all facts of it. */
export interface AuditStamp {
  readonly writer: string;
  readonly time: Date;
  readonly phase: AuditPhase;
  readonly intent?: number;
}

/** A record as the body of a journal line: the journal puts "seq" and "prev" in front. */
export function renderAuditBody(stamp: AuditStamp, draft: AuditDraft): string {
  const body: Omit<AuditRecord, "seq" | "prev"> = {
    schema: AUDIT_SCHEMA,
    writer: stamp.writer,
    time: stamp.time.toISOString(),
    phase: stamp.phase,
    intent: stamp.intent ?? null,
    ...completeFacts(draft),
  };
  return JSON.stringify(body);
}

/** Reads the record of a line; undefined if the line has another schema. The chain vouches for the rest of its form. */
export function readAuditRecord(line: JournalLine): AuditRecord | undefined {
  const fields = readFields(line);
  return fields !== undefined && isAuditRecord(fields) ? fields : undefined;
}

function isAuditRecord(fields: object): fields is AuditRecord {
  return (
    "schema" in fields &&
    fields.schema === AUDIT_SCHEMA &&
    "action" in fields &&
    typeof fields.action === "string" &&
    "phase" in fields &&
    typeof fields.phase === "string"
  );
}
