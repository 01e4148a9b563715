import type { Clock } from "../../runtime/time/clock.ts";
import type { SpiffeId } from "../../spiffe/id/spiffe-id.ts";
import type { Certificate } from "../../spiffe/x509/certificate.ts";
import type { AgentCaller } from "../api/caller.ts";
import { type AgentStanding, judgeAgent } from "../node-attestation/agent-standing.ts";
import { publicKeyHashOf } from "../node-attestation/public-key-hash.ts";
import type { AttestedNodeRecord } from "../store/records.ts";

/** An agent on a connection. Its standing is judged anew whenever it is asked for, from what is on record at that moment. */
export class LiveAgent implements AgentCaller {
  readonly kind = "agent";
  readonly id: string;
  readonly serialNumber: string;
  readonly publicKeyHash: string;
  readonly address: string;
  readonly #notAfter: Date;
  readonly #clock: Clock;
  #record: AttestedNodeRecord | undefined;
  #isKnown = false;

  constructor(o: {
    readonly id: SpiffeId;
    readonly leaf: Certificate;
    readonly address: string;
    readonly clock: Clock;
  }) {
    this.id = o.id.toString();
    this.serialNumber = o.leaf.serialNumberHex;
    this.publicKeyHash = publicKeyHashOf(o.leaf.spkiDer);
    this.address = o.address;
    this.#notAfter = o.leaf.notAfter;
    this.#clock = o.clock;
  }

  get standing(): AgentStanding {
    const record =
      this.#record === undefined
        ? undefined
        : {
            banned: this.#record.banned,
            serialNumber: this.#record.serial,
            nextSerialNumber: this.#record.newSerial === "" ? undefined : this.#record.newSerial,
          };
    const presented = { serialNumber: this.serialNumber, notAfter: this.#notAfter };
    return judgeAgent(record, presented, this.#clock.now());
  }

  /** What is on record now; undefined when the agent was evicted. */
  set(record: AttestedNodeRecord | undefined): void {
    this.#record = record;
    this.#isKnown = true;
  }

  /** What a query found. Passed over if a commit has told something newer meanwhile. */
  offer(record: AttestedNodeRecord | undefined): void {
    if (!this.#isKnown) this.set(record);
  }
}
