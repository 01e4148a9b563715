import { generateKeyPairSync, X509Certificate } from "node:crypto";
import { Entry } from "../../proto/gen/spire/api/server/entry/v1/entry_pb.ts";
import { SVID } from "../../proto/gen/spire/api/server/svid/v1/svid_pb.ts";
import { SpiffeId } from "../../spiffe/id/spiffe-id.ts";
import { createCsr } from "../../spiffe/x509/create-csr.ts";
import type { BareAgent } from "../support/bare-agent.ts";
import { type Machine, trustDomain } from "../support/machine.ts";

const callTimeoutMs = 30_000;

/** A workload that may have certificates. */
export interface Registered {
  readonly entryId: string;
  readonly spiffeId: SpiffeId;
}

/**
 * Keeps a server busy and remembers what it acknowledged: entries created and deleted, and certificates it handed out. A call
 * that fails acknowledged nothing; whether it took effect is open.
 */
export class AcknowledgedLoad {
  /** IDs of entries whose creation was acknowledged and whose deletion was not asked for. */
  readonly created: Set<string> = new Set();
  /** IDs of entries whose deletion was acknowledged. */
  readonly deleted: Set<string> = new Set();
  /** Serial numbers of certificates that arrived, in lower-case hexadecimal. */
  readonly serials: Set<string> = new Set();
  readonly #machine: Machine;
  readonly #agent: BareAgent;
  #next = 0;

  constructor(machine: Machine, agent: BareAgent) {
    this.#machine = machine;
    this.#agent = agent;
  }

  /** Calls without pause until `signal` aborts or the server is gone. */
  async run(signal: AbortSignal): Promise<void> {
    const writer = async (): Promise<void> => {
      while (!signal.aborted) await this.write(signal);
    };
    const signer = async (): Promise<void> => {
      while (!signal.aborted) await this.one(signal);
    };
    await Promise.allSettled([writer(), writer(), signer(), signer()]);
  }

  /** Registers a workload and has its certificates signed. @throws {Error} with the server's words if it refuses */
  async one(signal: AbortSignal): Promise<true> {
    await this.sign(await this.register(signal), signal);
    return true;
  }

  /** Creates three entries and deletes one of them. @throws {StatusError} what the server refused with */
  async write(signal: AbortSignal): Promise<void> {
    const entries = [1, 2, 3].map(() => this.#entry());
    const call = { signal, timeoutMs: callTimeoutMs };
    const client = this.#machine.local.server.client(Entry);
    const { results } = await client.batchCreateEntry({ entries }, call);
    const ids = results.flatMap(({ status, entry }) =>
      status?.code === 0 && entry ? [entry.id] : [],
    );
    const [doomed, ...kept] = ids;
    for (const id of kept) this.created.add(id);
    if (doomed === undefined) return;
    const deletion = await client.batchDeleteEntry({ ids: [doomed] }, call);
    if (deletion.results[0]?.status?.code === 0) this.deleted.add(doomed);
  }

  /** Registers one workload. @throws {Error} with the server's words if it refuses */
  async register(signal: AbortSignal): Promise<Registered> {
    const entry = this.#entry();
    const call = { signal, timeoutMs: callTimeoutMs };
    const client = this.#machine.local.server.client(Entry);
    const { results } = await client.batchCreateEntry({ entries: [entry] }, call);
    const { status, entry: made } = results[0] ?? {};
    if (status?.code !== 0 || made === undefined) throw new Error(status?.message ?? "no answer");
    this.created.add(made.id);
    const spiffeId = SpiffeId.parse(`spiffe://${trustDomain}${entry.spiffeId.path}`);
    return { entryId: made.id, spiffeId };
  }

  /** Has four certificates signed for a workload. @throws {Error} with the server's words if it refuses one */
  async sign({ entryId, spiffeId }: Registered, signal: AbortSignal): Promise<void> {
    const params = [1, 2, 3, 4].map(() => {
      const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
      return { entryId, csr: createCsr({ privateKey, spiffeId }) };
    });
    const call = { signal, timeoutMs: callTimeoutMs };
    const { results } = await this.#agent.client(SVID).batchNewX509SVID({ params }, call);
    for (const { status, svid } of results) {
      const leaf = svid?.certChain[0];
      if (leaf === undefined) throw new Error(status?.message ?? "no answer");
      this.serials.add(new X509Certificate(leaf).serialNumber.toLowerCase());
    }
  }

  #entry(): {
    spiffeId: { trustDomain: string; path: string };
    parentId: { trustDomain: string; path: string };
    selectors: { type: string; value: string }[];
  } {
    const n = this.#next++;
    return {
      spiffeId: { trustDomain, path: `/load/${n}` },
      parentId: { trustDomain, path: this.#agent.path },
      selectors: [{ type: "unix", value: `uid:${100_000 + n}` }],
    };
  }
}
