import { type AuditDraft, completeFacts } from "../../proto/audit/v1/record.ts";
import { unavailable } from "../../runtime/errors/status-error.ts";
import { Feed } from "../../runtime/feed.ts";
import type { Checkpoint } from "../../runtime/journal/checkpoint.ts";
import type { JournalState } from "../../runtime/journal/journal.ts";
import type { AuditLog, AuditOutcome, AuditRef } from "../../server/audit/audit-log.ts";

/** A line that the fake was given. */
export interface FakeAuditLine {
  readonly phase: "intent" | "outcome" | "event";
  readonly action: string;
  /** For an outcome: the position of its intent, from 1. */
  readonly intent?: number;
  readonly facts: ReturnType<typeof completeFacts>;
}

/** An audit log in memory, of which a test can say whether it takes records, and when an intent becomes durable. */
export class FakeAuditLog implements AuditLog {
  readonly lines: FakeAuditLine[] = [];
  readonly head: Feed<Checkpoint | undefined> = new Feed<Checkpoint | undefined>(undefined);
  readonly state: Feed<JournalState> = new Feed<JournalState>({ writable: true });
  /** What an intent waits for, as a real one does for the disk. */
  durable: () => Promise<void> = () => Promise.resolve();

  /** From now on nothing can be recorded, or everything again. */
  setWritable(writable: boolean): void {
    this.state.set(
      writable ? { writable } : { writable, since: new Date(0), cause: "no space left on device" },
    );
  }

  async intent(draft: AuditDraft): Promise<AuditRef> {
    await this.durable();
    if (!this.state.value.writable) {
      throw unavailable("the audit log cannot be written", { reason: "audit_unavailable" });
    }
    const seq = this.#add("intent", draft);
    return { seq, action: draft.action, requestId: draft.requestId ?? null };
  }

  outcome(ref: AuditRef, outcome: AuditOutcome): void {
    const { decision, reasonCode = null, batch } = outcome;
    const facts = { action: ref.action, decision, reasonCode, ...(batch && { batch }) };
    this.#add("outcome", facts, ref.seq);
  }

  event(draft: AuditDraft): void {
    this.#add("event", draft);
  }

  #add(phase: FakeAuditLine["phase"], draft: AuditDraft, intent?: number): number {
    const facts = completeFacts(draft);
    const line = { phase, action: draft.action, facts };
    this.lines.push(intent === undefined ? line : { ...line, intent });
    return this.lines.length;
  }
}
