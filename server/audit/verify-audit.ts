import type { KeyObject } from "node:crypto";
import type { AuditRecord } from "../../proto/audit/v1/record.ts";
import { verifyCheckpoint } from "../../runtime/journal/checkpoint.ts";
import type { JournalLine, JournalPosition } from "../../runtime/journal/line.ts";
import { type JournalFinding, verifyJournal } from "../../runtime/journal/verify.ts";
import { auditKeyId, decodeAuditKey } from "./audit-key.ts";
import { readAuditRecord } from "./audit-line.ts";
import { readCheckpoint } from "./checkpoint-record.ts";

/** What an audit log is compared with. */
export interface VerifyAuditOptions {
  /** Checkpoints that agents have kept. */
  readonly witnessed?: readonly JournalPosition[];
  /** Keys that are known to be the server's own. A key that only the log itself names proves less. */
  readonly trustedKeys?: readonly KeyObject[];
}

/** What a look at a whole audit log found. */
export interface AuditVerification {
  readonly findings: readonly JournalFinding[];
  readonly firstSeq: number;
  readonly lastSeq: number;
  readonly records: number;
  /** Checkpoints whose signature was checked, and how many of them by a key that only the log vouches for. */
  readonly checkpoints: number;
  readonly selfVouched: number;
}

/**
 * Checks the chain from the first record to the last, every checkpoint in it, that records missing at the beginning were removed by
 * the server itself, and that every checkpoint that somebody witnessed is there.
 */
export async function verifyAudit(
  directory: string,
  options: VerifyAuditOptions = {},
): Promise<AuditVerification> {
  const checks = new Checks(options.trustedKeys ?? []);
  const journal = await verifyJournal(directory, {
    heads: options.witnessed ?? [],
    visit: (line) => checks.visit(line),
  });
  const unexplained = checks.explainStart(journal.start);
  return {
    findings: unexplained === undefined ? journal.findings : [unexplained, ...journal.findings],
    firstSeq: journal.lines === 0 ? 0 : journal.start.seq + 1,
    lastSeq: journal.end.seq,
    records: journal.lines,
    checkpoints: checks.checkpoints,
    selfVouched: checks.selfVouched,
  };
}

/** How many records a checkpoint may be behind: those that were on their way to the disk while it was signed. */
const WINDOW = 50_000;

class Checks {
  checkpoints = 0;
  selfVouched = 0;
  readonly #keys: Map<string, KeyObject>;
  readonly #trusted: ReadonlySet<string>;
  readonly #hashes = new Map<number, string>();
  readonly #removals = new Set<string>();

  constructor(trusted: readonly KeyObject[]) {
    this.#keys = new Map(trusted.map((key) => [auditKeyId(key), key]));
    this.#trusted = new Set(this.#keys.keys());
  }

  visit(line: JournalLine): JournalFinding | undefined {
    this.#hashes.set(line.seq, line.hash);
    this.#hashes.delete(line.seq - WINDOW);
    const record = readAuditRecord(line);
    if (record === undefined) return invalid(line.seq, "has another schema");
    switch (record.action) {
      case "audit.start":
        this.#learnKey(record);
        return undefined;
      case "audit.remove":
        this.#removals.add(`${record.details?.["throughSeq"]} ${record.details?.["throughHash"]}`);
        return undefined;
      case "audit.checkpoint":
        return this.#checkCheckpoint(record);
      default:
        return undefined;
    }
  }

  explainStart({ seq, hash }: JournalPosition): JournalFinding | undefined {
    if (seq === 0 || this.#removals.has(`${seq} ${hash}`)) return undefined;
    const message = `lines 1 to ${seq} are missing, and no record says that the server removed them`;
    return { kind: "lines_missing", seq: 1, message };
  }

  #learnKey({ details }: AuditRecord): void {
    const key = decodeAuditKey(details?.["publicKey"]);
    if (key !== undefined) this.#keys.set(auditKeyId(key), key);
  }

  #checkCheckpoint(record: AuditRecord): JournalFinding | undefined {
    const checkpoint = readCheckpoint(record.writer, record.details);
    if (checkpoint === undefined) return invalid(record.seq, "is no checkpoint");
    const key = this.#keys.get(checkpoint.keyId);
    // Its key was named by a record that has been removed by now.
    if (key === undefined) return undefined;
    this.checkpoints += 1;
    if (!this.#trusted.has(checkpoint.keyId)) this.selfVouched += 1;
    if (!verifyCheckpoint(checkpoint, key)) {
      return invalid(record.seq, "is a checkpoint with a wrong signature");
    }
    const hash = this.#hashes.get(checkpoint.seq);
    if (hash === undefined || hash === checkpoint.hash) return undefined;
    return invalid(record.seq, `is a checkpoint of another line ${checkpoint.seq}`);
  }
}

function invalid(seq: number, what: string): JournalFinding {
  return { kind: "statement_invalid", seq, message: `line ${seq} ${what}` };
}
