import type { KeyObject } from "node:crypto";
import type { AuditDraft, AuditPhase } from "../../proto/audit/v1/record.ts";
import { unavailable } from "../../runtime/errors/status-error.ts";
import { Feed, type ReadFeed } from "../../runtime/feed.ts";
import type { Checkpoint } from "../../runtime/journal/checkpoint.ts";
import {
  Journal,
  type JournalOutage,
  type JournalState,
  JournalUnwritableError,
} from "../../runtime/journal/journal.ts";
import type { OpenSegmentFile } from "../../runtime/journal/segment.ts";
import type { Logger } from "../../runtime/log.ts";
import type { Clock } from "../../runtime/time/clock.ts";
import type { KeyManager } from "../keymanager/key-manager.ts";
import { AuditKey, encodeAuditKey } from "./audit-key.ts";
import { renderAuditBody } from "./audit-line.ts";
import type { AuditLog, AuditOutcome, AuditRef } from "./audit-log.ts";
import { checkpointDraft } from "./checkpoint-record.ts";
import { findOpenIntents } from "./open-intents.ts";
import { type Removal, removalBefore } from "./retention.ts";

/** What the audit log needs. */
export interface AuditLogDeps {
  readonly directory: string;
  /** The chain's name: "server/<id>". */
  readonly writer: string;
  readonly clock: Clock;
  readonly keys: KeyManager;
  readonly log: Logger;
  readonly maxSegmentBytes?: number;
  readonly openFile?: OpenSegmentFile;
}

/** The audit log in a journal on disk. */
export class JournalAuditLog implements AuditLog, AsyncDisposable {
  readonly directory: string;
  readonly #deps: AuditLogDeps;
  readonly #key: AuditKey;
  readonly #journal: Journal;
  readonly #head = new Feed<Checkpoint | undefined>(undefined);
  /** Intents without an outcome; the oldest first, because they become durable in order. */
  readonly #open = new Set<number>();
  #checkpointSeq = 0;

  private constructor(deps: AuditLogDeps, key: AuditKey, journal: Journal) {
    this.directory = deps.directory;
    this.#deps = deps;
    this.#key = key;
    this.#journal = journal;
  }

  /**
   * Opens the log, closes intents that a crash left open, and records the start and whatever had to be repaired.
   *
   * @throws {Error} when it cannot be written: a server without audit does not start
   */
  static async open(deps: AuditLogDeps): Promise<JournalAuditLog> {
    const { directory, clock, maxSegmentBytes, openFile, log } = deps;
    const key = await AuditKey.open(deps.keys);
    const journal = await Journal.open({
      directory,
      clock,
      recoveredBody: (outage) => renderRecovery(deps, outage),
      ...(maxSegmentBytes === undefined ? {} : { maxSegmentBytes }),
      ...(openFile === undefined ? {} : { openFile }),
    });
    const audit = new JournalAuditLog(deps, key, journal);
    const open = await findOpenIntents(directory);
    for (const ref of open) {
      audit.outcome(ref, { decision: "unknown", reasonCode: "server_stopped" });
    }
    if (open.length > 0) log.warn({ intents: open.length }, "Closed intents of a server that died");
    if (journal.cut !== undefined) {
      log.warn(
        { bytes: journal.cut.bytes, path: journal.cut.path },
        "Put aside a torn audit record",
      );
    }
    const details = {
      keyId: key.id,
      publicKey: encodeAuditKey(key.publicKey),
      closedAsUnknown: open.length,
      cut: journal.cut ?? null,
    };
    await journal.append(audit.#render("event", { action: "audit.start", details }));
    await audit.checkpoint();
    return audit;
  }

  /** The key that checkpoints are verified with. */
  get publicKey(): KeyObject {
    return this.#key.publicKey;
  }

  get head(): ReadFeed<Checkpoint | undefined> {
    return this.#head;
  }

  /** Sequence number of the last durable record. */
  get lastSeq(): number {
    return this.#journal.head.seq;
  }

  get state(): ReadFeed<JournalState> {
    return this.#journal.state;
  }

  async intent(draft: AuditDraft): Promise<AuditRef> {
    const { seq } = await this.#append(this.#render("intent", draft));
    this.#open.add(seq);
    return { seq, action: draft.action, requestId: draft.requestId ?? null };
  }

  outcome(ref: AuditRef, { decision, reasonCode, batch }: AuditOutcome): void {
    this.#open.delete(ref.seq);
    const draft = {
      action: ref.action,
      requestId: ref.requestId,
      decision,
      reasonCode: reasonCode ?? null,
      ...(batch === undefined ? {} : { batch }),
    };
    this.#journal.enqueue(this.#render("outcome", draft, ref.seq));
  }

  event(draft: AuditDraft): void {
    this.#journal.enqueue(this.#render("event", draft));
  }

  /** Signs how far the log reaches, and records it if anything came after the last one. */
  async checkpoint(): Promise<Checkpoint> {
    const { writer, clock } = this.#deps;
    const { seq, hash } = this.#journal.head;
    const [oldestOpen = seq + 1] = this.#open;
    const checkpoint = await this.#key.sign({ writer, seq, hash, time: clock.now() });
    if (seq !== this.#checkpointSeq) {
      // The record of a checkpoint is nothing that needs another one.
      const body = this.#render("event", checkpointDraft(checkpoint, oldestOpen));
      this.#checkpointSeq = (await this.#append(body)).seq;
    }
    this.#head.set(checkpoint);
    return checkpoint;
  }

  /**
   * Removes segments whose records are all older than `before` and, where they are to be kept elsewhere first, at or before
   * `exportedSeq`. That and up to where is recorded first.
   */
  async removeOlderThan(before: Date, exportedSeq?: number): Promise<Removal | undefined> {
    const limits = { time: before, ...(exportedSeq === undefined ? {} : { seq: exportedSeq }) };
    const removal = await removalBefore(this.directory, limits);
    if (removal === undefined) return undefined;
    const { throughSeq, throughHash } = removal;
    const details = { throughSeq, throughHash, exportedSeq: exportedSeq ?? null };
    const ref = await this.intent({ action: "audit.remove", reasonCode: "age", details });
    await this.#journal.removeThrough(throughSeq);
    this.outcome(ref, { decision: "allow" });
    this.#deps.log.info({ through_seq: throughSeq }, "Removed audit segments");
    return removal;
  }

  /** Resolves when everything given so far is on disk, or was refused or is held because it cannot be. */
  flush(): Promise<void> {
    return this.#journal.flush();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#journal[Symbol.asyncDispose]();
  }

  async #append(body: string): Promise<{ readonly seq: number }> {
    try {
      return await this.#journal.append(body);
    } catch (cause) {
      if (!(cause instanceof JournalUnwritableError)) throw cause;
      throw unavailable("the audit log cannot be written", { reason: "audit_unavailable", cause });
    }
  }

  #render(phase: AuditPhase, draft: AuditDraft, intent?: number): string {
    const { writer, clock } = this.#deps;
    const time = clock.now();
    return renderAuditBody(
      { writer, time, phase, ...(intent === undefined ? {} : { intent }) },
      draft,
    );
  }
}

function renderRecovery({ writer, clock }: AuditLogDeps, outage: JournalOutage): string {
  const stamp = { writer, time: clock.now(), phase: "event" } as const;
  const { since, cause, refused, dropped } = outage;
  const details = { since: since.toISOString(), cause, refused, dropped };
  return renderAuditBody(stamp, { action: "audit.recover", details });
}
