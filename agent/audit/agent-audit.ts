import { sign } from "node:crypto";
import { create } from "@bufbuild/protobuf";
import { AUDIT_SCHEMA, type AuditDraft, completeFacts } from "../../proto/audit/v1/record.ts";
import { type AuditHead, AuditHeadSchema } from "../../proto/gen/assay/sync/v1/sync_pb.ts";
import { Feed, type ReadFeed } from "../../runtime/feed.ts";
import { checkpointBytes } from "../../runtime/journal/checkpoint.ts";
import { Journal } from "../../runtime/journal/journal.ts";
import { listSegments } from "../../runtime/journal/segment.ts";
import { readJournal } from "../../runtime/journal/verify.ts";
import type { Logger } from "../../runtime/log.ts";
import type { Clock } from "../../runtime/time/clock.ts";
import type { IdentityHolder } from "../identity/identity-holder.ts";

/**
 * The agent's own audit chain (D8): what it handed to whom, and whom it refused. It goes to the server with the synchronisation
 * stream and is removed here once the server has it. An absent server delays records; only when there is no more room for them,
 * as on a node that serves for weeks without one, the oldest are given up: the node and its memory matter more. The server sees
 * the gap in the chain, and the log says so here.
 */

/** Small, since a segment is removed as a whole when the server has all of it. */
const SEGMENT_BYTES = 1024 * 1024;
/** Before an agent has attested it has no better name. */
const UNATTESTED = "agent/unattested";

export interface AgentAuditDeps {
  readonly directory: string;
  /** Room for what the server lacks; two segments at least. */
  readonly maxBytes: number;
  readonly identity: IdentityHolder;
  readonly clock: Clock;
  readonly log: Logger;
}

/** Lines of the chain, in order. */
export interface AuditLines {
  readonly firstSeq: number;
  readonly lines: readonly Uint8Array[];
}

/** The chain and how much of it the server has. */
export class AgentAudit implements AsyncDisposable {
  readonly #deps: AgentAuditDeps;
  readonly #journal: Journal;
  readonly #written = new Feed(0);
  #confirmedSeq = 0;
  /** Written since the room was last looked at. */
  #unchecked = Number.POSITIVE_INFINITY;
  #lost = 0;

  private constructor(deps: AgentAuditDeps, journal: Journal) {
    this.#deps = deps;
    this.#journal = journal;
  }

  /** @throws {Error} when the folder cannot be written */
  static async open(deps: AgentAuditDeps): Promise<AgentAudit> {
    const { directory, clock, log } = deps;
    const journal = await Journal.open({ directory, clock, maxSegmentBytes: SEGMENT_BYTES });
    if (journal.cut !== undefined) {
      log.warn({ directory }, "Audit record that a crash left half-written was removed");
    }
    return new AgentAudit(deps, journal);
  }

  /** Records that were given up for want of room, since the agent started. */
  get lost(): number {
    return this.#lost;
  }

  /** Changes when records have been added. */
  get written(): ReadFeed<number> {
    return this.#written;
  }

  /** Adds a record of something that has happened. */
  record(draft: AuditDraft): void {
    const { clock, identity } = this.#deps;
    const body = {
      schema: AUDIT_SCHEMA,
      writer: identity.identity?.id.toString() ?? UNATTESTED,
      time: clock.now().toISOString(),
      phase: "event",
      intent: null,
      ...completeFacts(draft),
    };
    const line = JSON.stringify(body);
    this.#journal.enqueue(line);
    this.#written.set(this.#written.value + 1);
    this.#unchecked += line.length;
    if (this.#unchecked < SEGMENT_BYTES) return;
    this.#unchecked = 0;
    this.#makeRoom().catch((err: unknown) => {
      this.#deps.log.warn({ err }, "Room for audit records could not be looked at");
    });
  }

  /** The next lines that the server lacks, up to `maxBytes` unless one alone is larger; undefined when it has all. */
  async next(maxBytes: number): Promise<AuditLines | undefined> {
    await this.#journal.flush();
    if (this.#confirmedSeq >= this.#journal.head.seq) return undefined;
    const lines: Uint8Array[] = [];
    let firstSeq = 0;
    let size = 0;
    for await (const { seq, bytes } of readJournal(this.#deps.directory, this.#confirmedSeq + 1)) {
      if (lines.length > 0 && size + bytes.length > maxBytes) break;
      if (lines.length === 0) firstSeq = seq;
      lines.push(bytes.slice());
      size += bytes.length;
    }
    return lines.length === 0 ? undefined : { firstSeq, lines };
  }

  /** The server has everything up to a line; segments that it has whole are removed. */
  async confirm(throughSeq: number): Promise<void> {
    this.#confirmedSeq = Math.min(Math.max(this.#confirmedSeq, throughSeq), this.#journal.head.seq);
    await this.#journal.removeThrough(this.#confirmedSeq);
  }

  /** A signed statement of how far the chain reaches; undefined before the agent has a key to sign with. */
  head(): AuditHead | undefined {
    const { identity } = this.#deps.identity;
    if (identity === undefined) return undefined;
    const { seq, hash } = this.#journal.head;
    const time = this.#deps.clock.now();
    const writer = identity.id.toString();
    const bytes = checkpointBytes({ writer, seq, hash, time });
    return create(AuditHeadSchema, {
      writer,
      seq: BigInt(seq),
      hash: Buffer.from(hash, "hex"),
      timeMs: BigInt(time.getTime()),
      signature: sign("sha256", bytes, identity.privateKey),
      keyId: identity.serialNumber,
    });
  }

  async #makeRoom(): Promise<void> {
    const { directory, maxBytes, log } = this.#deps;
    await this.#journal.flush();
    const segments = await listSegments(directory);
    const kept = segments[segments.length - Math.max(2, Math.floor(maxBytes / SEGMENT_BYTES))];
    const throughSeq = (kept?.firstSeq ?? 0) - 1;
    const begin = Math.max(this.#confirmedSeq + 1, segments[0]?.firstSeq ?? 1);
    if (throughSeq < begin) return;
    const records = throughSeq - begin + 1;
    this.#lost += records;
    this.#confirmedSeq = throughSeq;
    await this.#journal.removeThrough(throughSeq);
    log.error({ records, directory }, "Audit records were given up, no server took them in time");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#journal[Symbol.asyncDispose]();
  }
}
