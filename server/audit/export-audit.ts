import { once } from "node:events";
import type { Writable } from "node:stream";
import { readJournal } from "../../runtime/journal/verify.ts";

/** What an export wrote. */
export interface AuditExport {
  readonly records: number;
  /** Zero when there was nothing to export. */
  readonly throughSeq: number;
}

/**
 * Writes records as they stand, one line of JSON each, to a file or to standard output. The stream is not ended. Whoever removes
 * what was exported first makes sure that the target is durable.
 */
export async function exportAudit(
  directory: string,
  target: Writable,
  fromSeq = 1,
): Promise<AuditExport> {
  let records = 0;
  let throughSeq = 0;
  for await (const { seq, bytes } of readJournal(directory, fromSeq)) {
    if (!target.write(Buffer.concat([bytes, LINE_END]))) await once(target, "drain");
    records += 1;
    throughSeq = seq;
  }
  return { records, throughSeq };
}

const LINE_END = Buffer.from("\n");
