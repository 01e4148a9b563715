import type {
  AuditAction,
  AuditDecision,
  AuditDraft,
  AuditItem,
} from "../../proto/audit/v1/record.ts";
import type { ReadFeed } from "../../runtime/feed.ts";
import type { Checkpoint } from "../../runtime/journal/checkpoint.ts";
import type { JournalState } from "../../runtime/journal/journal.ts";

/**
 * The server's record of what it did. Whatever uses an authority key or changes trust states its intent first and waits until
 * that is durable; how it ended follows without waiting. One writer, one chain; see docs/architecture.md, D8.
 */
export interface AuditLog {
  /**
   * Records that something is about to be done; resolves when the record is durable.
   *
   * @throws {StatusError} UNAVAILABLE, reason "audit_unavailable": it cannot be recorded, so it must not be done
   */
  intent(draft: AuditDraft): Promise<AuditRef>;
  /** Records how an intent ended. Rides in the next group; kept in memory while the log cannot be written. */
  outcome(ref: AuditRef, outcome: AuditOutcome): void;
  /** Records something that needed no intent: a refusal, an attestation, a read of the audit. Rides in the next group. */
  event(draft: AuditDraft): void;
  /** The newest signed checkpoint, for others to witness; undefined until the first one. */
  readonly head: ReadFeed<Checkpoint | undefined>;
  /** Whether records can be written now. While they cannot, issuing is to stop. */
  readonly state: ReadFeed<JournalState>;
}

/** A durable intent. */
export interface AuditRef {
  readonly seq: number;
  readonly action: AuditAction;
  readonly requestId: string | null;
}

/** How an intent ended; of a batch, item by item in the order of the intent. */
export interface AuditOutcome {
  readonly decision: AuditDecision;
  readonly reasonCode?: string;
  readonly batch?: readonly AuditItem[];
}
