import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { MemoryStore } from "../../test/fakes/memory-store.ts";
import { RecordingLog } from "../../test/fakes/recording-log.ts";
import { type CallingAgent, FirstUse } from "./first-use.ts";
import { hashJoinToken } from "./join-token.ts";

const TOKEN = "11111111-1111-4111-8111-111111111111";
const ID = `spiffe://example.test/spire/agent/join_token/${TOKEN}`;
const NOW = 1_772_366_400;

const open = async () => {
  const store = await MemoryStore.open();
  const { log, ...recording } = new RecordingLog();
  await store.write("createJoinToken", {
    tokenHash: hashJoinToken(TOKEN),
    expiresAt: NOW + 600,
    now: NOW,
    actor: "test",
  });
  await store.write("recordAttestation", {
    id: ID,
    attestationType: "join_token",
    serial: "aa",
    expiresAt: NOW + 3600,
    publicKeyHash: "00",
    selectors: [],
    canReattest: false,
    now: NOW,
  });
  return { store, recording, firstUse: new FirstUse({ store, log }) };
};

const agent = (serialNumber: string, standing: CallingAgent["standing"]): CallingAgent => ({
  id: ID,
  serialNumber,
  standing,
});

describe("FirstUse", () => {
  it("ends the token by which the agent joined", async () => {
    const { store, firstUse } = await open();
    await firstUse.seen(agent("aa", "current"));
    const tokenHash = hashJoinToken(TOKEN);
    assert.equal(await store.read("getJoinToken", { tokenHash }), undefined);
  });

  it("makes a renewed certificate the agent's, once for calls that come together", async () => {
    const { store, recording, firstUse } = await open();
    await store.write("recordNodeRenewal", {
      id: ID,
      newSerial: "bb",
      newExpiresAt: NOW + 7200,
      newPublicKeyHash: "11",
    });
    const { revision } = store;
    const next = agent("bb", "next");
    await Promise.all([firstUse.seen(next), firstUse.seen(next), firstUse.seen(next)]);
    const found = await store.read("getNode", { id: ID });
    assert.deepEqual([found?.node.serial, found?.node.newSerial], ["bb", ""]);
    // One for the certificate and one for the token.
    assert.equal(store.revision, revision + 2n);
    assert.deepEqual(
      recording.lines.filter(({ level }) => level === "warn"),
      [],
    );
  });

  it("asks nothing more on the same connection", async () => {
    const { store, firstUse } = await open();
    const caller = agent("aa", "current");
    await firstUse.seen(caller);
    store.fault = { reason: "store_io", message: "the disk is gone" };
    await firstUse.seen(caller);
  });

  it("lets an agent call although the store cannot be written to", async () => {
    const { store, recording, firstUse } = await open();
    store.fault = { reason: "store_io", message: "the disk is gone" };
    await firstUse.seen(agent("aa", "current"));
    assert.equal(recording.lines.filter(({ level }) => level === "warn").length, 1);
    store.fault = undefined;
    await firstUse.seen(agent("aa", "current"));
    const tokenHash = hashJoinToken(TOKEN);
    assert.equal(await store.read("getJoinToken", { tokenHash }), undefined);
  });
});
