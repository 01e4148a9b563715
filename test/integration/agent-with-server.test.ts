// An agent and a server as processes, through what happens to both in a life.

import assert from "node:assert/strict";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { Admin } from "../../proto/gen/assay/admin/v1/admin_pb.ts";
import { SpiffeWorkloadAPI } from "../../proto/gen/spiffe/workload/workload_pb.ts";
import { Agent } from "../../proto/gen/spire/api/server/agent/v1/agent_pb.ts";
import { Entry } from "../../proto/gen/spire/api/server/entry/v1/entry_pb.ts";
import { StatusError } from "../../runtime/errors/status-error.ts";
import { openChannel } from "../../runtime/rpc/channel.ts";
import { createClient } from "../../runtime/rpc/client.ts";
import { parseConcatenatedCertificates } from "../../spiffe/x509/certificate.ts";
import { eventually } from "../support/eventually.ts";
import { Machine, trustDomain } from "../support/machine.ts";

/** A workload that keeps a stream of X509-SVIDs open, and comes back when it breaks, as libraries do. */
class Workload implements AsyncDisposable {
  /** SPIFFE IDs of the last answer, and the serial number of each. */
  identities: ReadonlyMap<string, string> = new Map();
  refusals = 0;
  readonly #end = new AbortController();
  readonly #running: Promise<void>;

  constructor(socketPath: string) {
    this.#running = this.#run(socketPath);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#end.abort();
    await this.#running;
  }

  async #run(socketPath: string): Promise<void> {
    const { signal } = this.#end;
    while (!signal.aborted) {
      const channel = openChannel({ target: `unix:${socketPath}` });
      try {
        const metadata = { "workload.spiffe.io": "true" };
        const client = createClient(SpiffeWorkloadAPI, channel);
        for await (const { svids } of client.fetchX509SVID({}, { signal, metadata })) {
          this.identities = new Map(
            svids.map(({ spiffeId, x509Svid }) => [spiffeId, serialOf(x509Svid)]),
          );
        }
      } catch (err) {
        if (err instanceof StatusError && err.code === 7) {
          this.identities = new Map();
          this.refusals += 1;
        }
      } finally {
        channel.close();
      }
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }
}

function serialOf(chainDer: Uint8Array): string {
  const [leaf] = parseConcatenatedCertificates(chainDer.slice());
  assert.ok(leaf);
  return leaf.serialNumberHex;
}

describe("an agent and its server", () => {
  let machine: Machine;
  let workload: Workload;
  before(async () => {
    machine = await Machine.start();
    workload = new Workload(machine.local.layout.workloadSocket);
  });
  after(async () => {
    await workload[Symbol.asyncDispose]();
    await machine[Symbol.asyncDispose]();
  });

  const id = (path: string) => `spiffe://${trustDomain}${path}`;
  const holds = (...paths: readonly string[]) =>
    eventually(`the identities ${paths.join(" ") || "to go"}`, () =>
      workload.identities.size === paths.length &&
      paths.every((path) => workload.identities.has(id(path)))
        ? true
        : undefined,
    );

  async function createEntry(path: string): Promise<string> {
    const { results } = await machine.local.server.client(Entry).batchCreateEntry(
      {
        entries: [
          {
            spiffeId: { trustDomain, path },
            parentId: { trustDomain, path: machine.local.agentPath },
            selectors: [{ type: "unix", value: `uid:${process.getuid?.()}` }],
          },
        ],
      },
      machine.call,
    );
    const [result] = results;
    const entryId = result?.entry?.id ?? "";
    assert.ok(entryId !== "", JSON.stringify(result?.status));
    return entryId;
  }

  it("brings an entry to the open stream, and tells the server that it was delivered", async () => {
    await createEntry("/one");
    await holds("/one");
    const { revision } = await machine.local.server
      .client(Admin)
      .batchCreateEntry({ entries: [] }, machine.call);
    const rollouts = machine.local.server
      .client(Admin)
      .watchRollout({ revision, delivered: true }, machine.call);
    for await (const { complete, late, absent } of rollouts) {
      if (!complete) continue;
      assert.deepEqual([late, absent], [[], []]);
      return;
    }
    assert.fail("the rollout did not complete");
  });

  it("takes an identity from the stream when its entry is deleted", async () => {
    const entryId = await createEntry("/two");
    await holds("/one", "/two");
    await machine.local.server.client(Entry).batchDeleteEntry({ ids: [entryId] }, machine.call);
    await holds("/one");
  });

  it("serves the same SVID after it was killed and started with the server away", async () => {
    const serial = workload.identities.get(id("/one"));
    await eventually("the state to be written", () => stateHolds(machine, serial ?? ""));
    machine.local.agent.child.kill("SIGKILL");
    await machine.local.server[Symbol.asyncDispose]();
    workload.identities = new Map();
    await machine.local.startAgent();
    await holds("/one");
    assert.equal(workload.identities.get(id("/one")), serial);
  });

  it("finds the server again when it is back, and hears what is new", async () => {
    await machine.local.startServer();
    await createEntry("/three");
    await holds("/one", "/three");
  });

  it("loses everything when it is banned, runs on, and attests again when it is let in", async () => {
    const agent = machine.local.server.client(Agent);
    const agentId = { id: { trustDomain, path: machine.local.agentPath } };
    await agent.banAgent(agentId, machine.call);
    await holds();
    assert.ok(workload.refusals > 0);
    assert.equal(machine.local.agent.child.running, true);
    await agent.deleteAgent(agentId, machine.call);
    machine.local.agent.child.kill("SIGTERM");
    await machine.local.startAgent();
    await holds("/one", "/three");
  });

  it("has left its records with the server", async () => {
    const folder = join(machine.local.layout.serverData, "audit");
    const found = await readdir(folder, { recursive: true });
    assert.ok(
      found.some((path) => path.includes("x509pop~")),
      found.join(" "),
    );
  });
});

async function stateHolds(machine: Machine, serial: string): Promise<true | undefined> {
  const content = await readFile(machine.local.layout.agentState);
  return content.includes(Buffer.from(serial, "hex")) ? true : undefined;
}
