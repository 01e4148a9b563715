import { generateKeyPairSync } from "node:crypto";
import { Entry } from "../../proto/gen/spire/api/server/entry/v1/entry_pb.ts";
import { SVID } from "../../proto/gen/spire/api/server/svid/v1/svid_pb.ts";
import type { Client } from "../../runtime/rpc/client.ts";
import { SpiffeId } from "../../spiffe/id/spiffe-id.ts";
import { createCsr } from "../../spiffe/x509/create-csr.ts";
import { BareAgent, type BareAgentOptions } from "../support/bare-agent.ts";

/** An agent of a fleet and what it may have signed. */
export interface Member {
  readonly svid: Client<typeof SVID>;
  /** Entry IDs, and the SPIFFE ID of each. */
  readonly entries: readonly { readonly id: string; readonly spiffeId: SpiffeId }[];
}

/** A few agents with a few entries each: those who ask a server to sign. */
export class Fleet implements Disposable {
  readonly members: readonly Member[];
  readonly #stack: DisposableStack;

  private constructor(members: readonly Member[], stack: DisposableStack) {
    this.members = members;
    this.#stack = stack;
  }

  /** Attests `agents` agents and registers `entries` workloads for each. */
  static async open(
    options: BareAgentOptions,
    size: { readonly agents: number; readonly entries: number },
  ): Promise<Fleet> {
    using stack = new DisposableStack();
    const members: Member[] = [];
    for (let index = 0; index < size.agents; index++) {
      const agent = stack.use(await BareAgent.attest(options));
      const entries = await register(options, agent, index, size.entries);
      members.push({ svid: agent.client(SVID), entries });
    }
    return new Fleet(members, stack.move());
  }

  member(index: number): Member {
    const member = this.members[index % this.members.length];
    if (member === undefined) throw new RangeError("an empty fleet");
    return member;
  }

  [Symbol.dispose](): void {
    this.#stack.dispose();
  }
}

async function register(
  { admin, trustDomain, signal }: BareAgentOptions,
  agent: BareAgent,
  fleetIndex: number,
  count: number,
): Promise<Member["entries"]> {
  const run = `${process.pid}-${performance.now().toString(36).replace(".", "")}`;
  const paths = Array.from({ length: count }, (_, i) => `/bench/${run}/${fleetIndex}/${i}`);
  const { results } = await admin.client(Entry).batchCreateEntry(
    {
      entries: paths.map((path, i) => ({
        spiffeId: { trustDomain, path },
        parentId: { trustDomain, path: agent.path },
        selectors: [{ type: "unix", value: `uid:${100_000 + i}` }],
      })),
    },
    { signal, timeoutMs: 30_000 },
  );
  return results.map(({ status, entry }, i) => {
    if (status?.code !== 0 || entry === undefined) {
      throw new Error(`creating an entry: ${status?.message ?? "no status"}`);
    }
    return { id: entry.id, spiffeId: SpiffeId.parse(`spiffe://${trustDomain}${paths[i] ?? ""}`) };
  });
}

/** Requests of one member that cover its entries, each CSR with a key of its own, so that nothing can be remembered. */
export function makeRequests(
  member: Member,
  requests: number,
): readonly { readonly params: { readonly entryId: string; readonly csr: Uint8Array }[] }[] {
  return Array.from({ length: requests }, () => ({
    params: member.entries.map(({ id, spiffeId }) => {
      const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
      return { entryId: id, csr: createCsr({ privateKey, spiffeId }) };
    }),
  }));
}
