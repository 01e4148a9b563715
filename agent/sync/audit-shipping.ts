import type { MessageInitShape } from "@bufbuild/protobuf";
import type { AgentMessageSchema } from "../../proto/gen/assay/sync/v1/sync_pb.ts";
import { Feed } from "../../runtime/feed.ts";
import type { Clock } from "../../runtime/time/clock.ts";
import type { AgentAudit } from "../audit/agent-audit.ts";
import type { Outbox } from "../connection/outbox.ts";
import { untilChanged } from "../connection/until-changed.ts";

/** Lines in one shipment together, well below the message limit. */
const SHIPMENT_BYTES = 512 * 1024;
/** Records are gathered for this long: nobody waits for them. */
const GATHER_MS = 1_000;
/** A shipment without a receipt by then is sent again. */
const RECEIPT_TIMEOUT_MS = 30_000;
const IDLE_MS = 3_600_000;

/** Sends the agent's audit records on one stream, one shipment at a time, each until the server says that it has it. */
export class AuditShipping {
  readonly #audit: AgentAudit;
  readonly #outbox: Outbox<MessageInitShape<typeof AgentMessageSchema>>;
  readonly #clock: Clock;
  readonly #receipts = new Feed(0);

  constructor(o: {
    readonly audit: AgentAudit;
    readonly outbox: Outbox<MessageInitShape<typeof AgentMessageSchema>>;
    readonly clock: Clock;
  }) {
    this.#audit = o.audit;
    this.#outbox = o.outbox;
    this.#clock = o.clock;
  }

  /** The server has everything up to a line. */
  async received(throughSeq: bigint): Promise<void> {
    await this.#audit.confirm(Number(throughSeq));
    this.#receipts.set(this.#receipts.value + 1);
  }

  /** Resolves once `signal` aborts. */
  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const written = this.#audit.written.value;
      const receipts = this.#receipts.value;
      const lines = await this.#audit.next(SHIPMENT_BYTES);
      const wait = { clock: this.#clock, signal };
      if (lines === undefined) {
        await untilChanged(this.#audit.written, { ...wait, seen: written, ms: IDLE_MS });
        await this.#clock.sleep(GATHER_MS, signal);
        continue;
      }
      const value = { firstSeq: BigInt(lines.firstSeq), lines: [...lines.lines] };
      this.#outbox.push({ message: { case: "audit", value } });
      await untilChanged(this.#receipts, { ...wait, seen: receipts, ms: RECEIPT_TIMEOUT_MS });
    }
  }
}
