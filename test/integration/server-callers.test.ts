// Who may do what, and how the server ends it.

import assert from "node:assert/strict";
import { generateKeyPairSync, type KeyObject } from "node:crypto";
import { after, before, describe, it } from "node:test";
import { AgentSync } from "../../proto/gen/assay/sync/v1/sync_pb.ts";
import { Agent } from "../../proto/gen/spire/api/server/agent/v1/agent_pb.ts";
import { Entry } from "../../proto/gen/spire/api/server/entry/v1/entry_pb.ts";
import { SVID } from "../../proto/gen/spire/api/server/svid/v1/svid_pb.ts";
import { Status, StatusError } from "../../runtime/errors/status-error.ts";
import { SpiffeId } from "../../spiffe/id/spiffe-id.ts";
import { createCsr } from "../../spiffe/x509/create-csr.ts";
import { BareAgent } from "../support/bare-agent.ts";
import { Machine } from "../support/machine.ts";
import { NetworkClient } from "../support/server-network.ts";

const operator = "spiffe://example.test/ops/alice";
const newKey = (): KeyObject => generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey;

describe("the server's callers", () => {
  let machine: Machine;
  before(async () => {
    machine = await Machine.open({
      server: {
        operators: [{ id: operator, roles: ["viewer"] }],
        limits: { rates: { renew: { perSecond: 0.01, burst: 2 } } },
      },
    });
    await machine.local.startServer();
  });
  after(() => machine[Symbol.asyncDispose]());

  const admin = () => machine.local.server.client(Agent);
  const agentId = ({ path }: BareAgent) => ({ id: { trustDomain: "example.test", path } });

  /** The SVID of an identity, as the operator of the server could mint it. */
  async function minted(id: string) {
    const privateKey = newKey();
    const csr = createCsr({ privateKey, spiffeId: SpiffeId.parse(id) });
    const { svid } = await machine.local.server
      .client(SVID)
      .mintX509SVID({ csr, ttl: 600 }, machine.call);
    return { privateKey, chain: svid?.certChain ?? [] };
  }

  it("lets an identity on the network do what its roles allow, and no more", async () => {
    using alice = await NetworkClient.open(machine, await minted(operator));
    await alice.client(Entry).countEntries({}, machine.call);
    await assert.rejects(alice.client(Entry).batchDeleteEntry({ ids: ["a"] }, machine.call), {
      name: "StatusError",
      code: Status.PERMISSION_DENIED,
      message: /^this identity has none of the roles /,
    });
  });

  it("lets an identity without roles do nothing", async () => {
    using bob = await NetworkClient.open(machine, await minted("spiffe://example.test/ops/bob"));
    await assert.rejects(bob.client(Entry).countEntries({}, machine.call), {
      name: "StatusError",
      code: Status.PERMISSION_DENIED,
    });
  });

  it("ends the connection of an agent in the change that bans it", async () => {
    using agent = await BareAgent.attest(machine.bareAgents);
    const sync = agent.client(AgentSync).sync(
      (async function* () {
        yield { message: { case: "hello" as const, value: { protocolMin: 1, protocolMax: 1 } } };
        await new Promise((resolve) => machine.signal.addEventListener("abort", resolve));
      })(),
      { signal: machine.signal },
    );
    const messages = sync[Symbol.asyncIterator]();
    await messages.next();
    const ended = (async () => {
      for (let next = await messages.next(); next.done !== true; next = await messages.next());
    })();
    await Promise.all([
      assert.rejects(ended, { name: "StatusError" }),
      admin().banAgent(agentId(agent), machine.call),
    ]);
    await assert.rejects(agent.client(Entry).getAuthorizedEntries({}, machine.call), {
      name: "StatusError",
      code: Status.PERMISSION_DENIED,
      message: "agent is banned",
    });
  });

  it("refuses the older certificate of an agent once the newer one was used", async () => {
    const token = await admin().createJoinToken({ ttl: 600 }, machine.call);
    const key = newKey();
    const first = { privateKey: key, chain: await attest(token.value, key) };
    using old = await NetworkClient.open(machine, first);
    const nextKey = newKey();
    const csr = csrOf(token.value, nextKey);
    const { svid } = await old.client(Agent).renewAgent({ params: { csr } }, machine.call);
    // Still the one in use: the answer might have been lost.
    await old.client(Entry).getAuthorizedEntries({}, machine.call);
    const second = { privateKey: nextKey, chain: svid?.certChain ?? [] };
    using renewed = await NetworkClient.open(machine, second);
    await renewed.client(Entry).getAuthorizedEntries({}, machine.call);
    using again = await NetworkClient.open(machine, first);
    await assert.rejects(again.client(Entry).getAuthorizedEntries({}, machine.call), {
      name: "StatusError",
      code: Status.PERMISSION_DENIED,
      message: "agent SVID is not the active one",
    });
  });

  it("lets a join token be repeated by the same key, and by no other", async () => {
    const token = await admin().createJoinToken({ ttl: 600 }, machine.call);
    const key = newKey();
    await attest(token.value, key);
    await assert.rejects(attest(token.value, newKey()), { name: "StatusError" });
    const chain = await attest(token.value, key);
    using agent = await NetworkClient.open(machine, { privateKey: key, chain });
    await agent.client(Entry).getAuthorizedEntries({}, machine.call);
    await assert.rejects(attest(token.value, key), { name: "StatusError" });
  });

  it("says when to try again to a caller that calls too often", async () => {
    using agent = await BareAgent.attest(machine.bareAgents);
    const csr = csrOf("x", newKey());
    const renew = () => agent.client(Agent).renewAgent({ params: { csr } }, machine.call);
    await renew();
    await renew();
    const error = await renew().catch((err: unknown) => err);
    assert.ok(error instanceof StatusError);
    assert.equal(error.code, Status.RESOURCE_EXHAUSTED);
    assert.match(error.message, /^rate limit for renew reached .* try again in \d+ ms$/);
    const types = error.details.map(({ typeUrl }) => typeUrl);
    assert.ok(types.includes("type.googleapis.com/google.rpc.RetryInfo"), types.join());
    // Others do not notice.
    using other = await BareAgent.attest(machine.bareAgents);
    await other.client(Agent).renewAgent({ params: { csr } }, machine.call);
  });

  function csrOf(token: string, privateKey: KeyObject): Uint8Array {
    const id = `spiffe://example.test/spire/agent/join_token/${token}`;
    return createCsr({ privateKey, spiffeId: SpiffeId.parse(id) });
  }

  async function attest(token: string, privateKey: KeyObject): Promise<readonly Uint8Array[]> {
    using nobody = await NetworkClient.open(machine);
    const data = { type: "join_token", payload: new TextEncoder().encode(token) };
    const value = { data, params: { csr: csrOf(token, privateKey) } };
    async function* steps() {
      yield { step: { case: "params" as const, value } };
    }
    for await (const { step } of nobody.client(Agent).attestAgent(steps(), machine.call)) {
      if (step.case === "result") return step.value.svid?.certChain ?? [];
    }
    throw new Error("attestation ended without a result");
  }
});
