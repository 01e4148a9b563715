import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Status } from "../../../../runtime/errors/status-error.ts";
import { MemoryStore } from "../../../../test/fakes/memory-store.ts";
import { newEntry, selector } from "../../../../test/support/entries.ts";
import type { Attestation, ListNodesFilter } from "../../contract/nodes.ts";
import type { AttestedNodeRecord } from "../../records.ts";

const NOW = 1_772_366_400;

function agent(name: string): string {
  return `spiffe://example.test/spire/agent/x509pop/${name}`;
}

async function attest(
  store: MemoryStore,
  name: string,
  fields: Partial<Attestation> = {},
): Promise<AttestedNodeRecord> {
  const { output } = await store.write("recordAttestation", {
    id: agent(name),
    attestationType: "x509pop",
    serial: "a1",
    expiresAt: NOW + 3600,
    publicKeyHash: "k1",
    selectors: [selector("x509pop:subject:cn:node")],
    canReattest: true,
    now: NOW,
    ...fields,
  });
  return output;
}

describe("recordAttestation", () => {
  it("records a node, and replaces what was known of it when it attests again", async () => {
    using store = await MemoryStore.open();
    const id = agent("one");
    await attest(store, "one");
    await store.write("setAgentVersion", { id, agentVersion: "1.2.3" });
    const renewal = { id, newSerial: "b2", newExpiresAt: NOW + 7200, newPublicKeyHash: "k2" };
    await store.write("recordNodeRenewal", renewal);
    const again = await attest(store, "one", {
      serial: "c3",
      publicKeyHash: "k3",
      selectors: ["b:2", "a:1"].map(selector),
      now: NOW + 60,
    });
    assert.deepEqual(again, {
      id,
      attestationType: "x509pop",
      serial: "c3",
      expiresAt: NOW + 3600,
      publicKeyHash: "k3",
      newSerial: "",
      newExpiresAt: 0,
      newPublicKeyHash: "",
      selectors: ["a:1", "b:2"].map(selector),
      banned: false,
      canReattest: true,
      agentVersion: "1.2.3",
      attestedAt: NOW + 60,
    });
    assert.deepEqual((await store.read("getNode", { id }))?.node, again);
    assert.equal(await store.read("countNodes", { filter: {} }), 1);
  });

  it("refuses a node that was banned, also when the ban came while it attested", async () => {
    using store = await MemoryStore.open();
    await attest(store, "one");
    await store.write("banNode", { id: agent("one") });
    await assert.rejects(attest(store, "one"), {
      code: Status.PERMISSION_DENIED,
      reason: "agent_banned",
      message: "agent is banned",
    });
  });
});

describe("a renewal", () => {
  const id = agent("one");
  const renewal = { id, newSerial: "b2", newExpiresAt: NOW + 7200, newPublicKeyHash: "k2" };

  it("leaves the certificate in use until the new one is used", async () => {
    using store = await MemoryStore.open();
    await attest(store, "one");
    const { output: renewed } = await store.write("recordNodeRenewal", renewal);
    assert.deepEqual([renewed.serial, renewed.newSerial], ["a1", "b2"]);
    const { output: used } = await store.write("activateNodeRenewal", { id, serial: "b2" });
    assert.deepEqual(
      [used.serial, used.expiresAt, used.publicKeyHash, used.newSerial, used.newPublicKeyHash],
      ["b2", NOW + 7200, "k2", "", ""],
    );
  });

  it("is activated once: a second use changes nothing", async () => {
    using store = await MemoryStore.open();
    await attest(store, "one");
    await store.write("recordNodeRenewal", renewal);
    const { revision } = await store.write("activateNodeRenewal", { id, serial: "b2" });
    const again = await store.write("activateNodeRenewal", { id, serial: "b2" });
    assert.equal(again.revision, revision);
  });

  it("is not activated by any other certificate", async () => {
    using store = await MemoryStore.open();
    await attest(store, "one");
    await assert.rejects(store.write("activateNodeRenewal", { id, serial: "ff" }), {
      code: Status.FAILED_PRECONDITION,
      reason: "agent_not_active",
      message: "the certificate is not the agent's current or renewed one",
    });
  });

  it("is refused to a banned and to an unknown agent", async () => {
    using store = await MemoryStore.open();
    await assert.rejects(store.write("recordNodeRenewal", renewal), {
      code: Status.NOT_FOUND,
      message: "agent not found",
    });
    await attest(store, "one");
    await store.write("banNode", { id });
    await assert.rejects(store.write("recordNodeRenewal", renewal), {
      code: Status.PERMISSION_DENIED,
      message: "agent is banned",
    });
  });
});

describe("banNode", () => {
  it("keeps the record without its certificates, and changes nothing the second time", async () => {
    using store = await MemoryStore.open();
    const id = agent("one");
    await attest(store, "one");
    const { output, revision } = await store.write("banNode", { id });
    assert.deepEqual([output.banned, output.serial], [true, ""]);
    assert.equal((await store.write("banNode", { id })).revision, revision);
  });
});

describe("deleteNode", () => {
  it("forgets the node with the alias that its join token brought, and no other entry", async () => {
    using store = await MemoryStore.open();
    const id = agent("one");
    const alias = newEntry("alias", { parentId: id });
    const token = { tokenHash: "aa", expiresAt: NOW + 60, alias, now: NOW, actor: "test" };
    await store.write("createJoinToken", token);
    const entries = [newEntry("workload", { parentId: id })];
    await store.write("createEntries", { entries, now: NOW, actor: "test" });
    await attest(store, "one");
    await store.write("deleteNode", { id });
    assert.equal(await store.read("getNode", { id }), undefined);
    assert.equal(await store.read("getEntry", { id: "alias" }), undefined);
    assert.notEqual(await store.read("getEntry", { id: "workload" }), undefined);
    const count = store.handle.prepare("select count(*) from node_selectors").pluck().get();
    assert.equal(count, 0);
    await assert.rejects(store.write("deleteNode", { id }), {
      code: Status.NOT_FOUND,
      message: "agent not found",
    });
  });
});

describe("purgeNodes", () => {
  it("forgets nodes that expired, but not banned ones, and by default only such as can return", async () => {
    using store = await MemoryStore.open();
    await attest(store, "old", { expiresAt: NOW - 10 });
    await attest(store, "tofu", { expiresAt: NOW - 20, canReattest: false });
    await attest(store, "banned", { expiresAt: NOW - 30 });
    await store.write("banNode", { id: agent("banned") });
    await attest(store, "current");
    const purge = async (includeNonReattestable: boolean): Promise<readonly string[]> => {
      const input = { expiredBefore: NOW, includeNonReattestable, limit: 10 };
      return (await store.write("purgeNodes", input)).output;
    };
    assert.deepEqual(await purge(false), [agent("old")]);
    assert.deepEqual(await purge(true), [agent("tofu")]);
    assert.equal(await store.read("countNodes", { filter: {} }), 2);
  });
});

describe("recordNodesSeen", () => {
  it("raises the instant without a revision", async () => {
    using store = await MemoryStore.open();
    const id = agent("one");
    await attest(store, "one");
    const seen = [
      { id, at: NOW + 9 },
      { id, at: NOW + 3 },
      { id: agent("none"), at: NOW },
    ];
    assert.equal((await store.write("recordNodesSeen", { seen })).revision, 1n);
    assert.equal((await store.read("getNode", { id }))?.lastSeenAt, NOW + 9);
  });
});

describe("listNodes", () => {
  async function list(store: MemoryStore, filter: ListNodesFilter): Promise<readonly string[]> {
    const names: string[] = [];
    let pageToken: string | undefined;
    do {
      const page = await store.read("listNodes", {
        filter,
        page: { pageSize: 2, ...(pageToken !== undefined && { pageToken }) },
      });
      names.push(...page.items.map(({ node }) => node.id.slice(agent("").length)));
      pageToken = page.nextPageToken;
    } while (pageToken !== undefined);
    assert.equal(await store.read("countNodes", { filter }), names.length);
    return names;
  }

  async function openWithNodes(): Promise<MemoryStore> {
    const store = await MemoryStore.open();
    await attest(store, "a", { selectors: ["x:1", "y:2"].map(selector) });
    await attest(store, "b", { selectors: [selector("x:1")], attestationType: "join_token" });
    await attest(store, "c", { selectors: [selector("z:3")], canReattest: false });
    await attest(store, "d", { selectors: [], expiresAt: NOW - 1 });
    await store.write("banNode", { id: agent("c") });
    return store;
  }

  it("lists by first attestation, page by page, and filters by every field", async () => {
    using store = await openWithNodes();
    assert.deepEqual(await list(store, {}), ["a", "b", "c", "d"]);
    assert.deepEqual(await list(store, { byAttestationType: "join_token" }), ["b"]);
    assert.deepEqual(await list(store, { byBanned: true }), ["c"]);
    assert.deepEqual(await list(store, { byBanned: false, byCanReattest: true }), ["a", "b", "d"]);
    assert.deepEqual(await list(store, { byExpiresBefore: NOW }), ["d"]);
    const selectors = ["x:1", "y:2"].map(selector);
    const matching = (match: "exact" | "subset" | "superset" | "any") =>
      list(store, { bySelectors: { match, selectors } });
    assert.deepEqual(await matching("exact"), ["a"]);
    assert.deepEqual(await matching("superset"), ["a"]);
    assert.deepEqual(await matching("subset"), ["a", "b"]);
    assert.deepEqual(await matching("any"), ["a", "b"]);
  });

  const plans: readonly (readonly [string, ListNodesFilter])[] = [
    ["byAttestationType", { byAttestationType: "x" }],
    ["byBanned", { byBanned: true }],
    ["byCanReattest", { byCanReattest: true }],
    ["byExpiresBefore", { byExpiresBefore: 1 }],
    ["bySelectors", { bySelectors: { match: "superset", selectors: [selector("x:1")] } }],
  ];
  for (const [name, filter] of plans) {
    it(`reads no more than the filter asks for: ${name}`, async () => {
      using store = await openWithNodes();
      const found = await store.plansOf(() =>
        store.read("listNodes", { filter, page: { pageSize: 2 } }),
      );
      assert.match(found.at(-1) ?? "", /^SEARCH n USING /);
      assert.doesNotMatch(found.at(-1) ?? "", /SCAN|rowid>/);
    });
  }
});
