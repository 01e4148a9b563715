import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { MemoryStore } from "../../../../test/fakes/memory-store.ts";
import { newEntry } from "../../../../test/support/entries.ts";
import type { Commit } from "../../commit.ts";
import type { ItemResult } from "../../contract/operation.ts";
import type { RelationshipMode, RelationshipWrite } from "../../contract/relationships.ts";
import type { BundleRecord, FederationLimitsRecord } from "../../records.ts";

const NOW = 1_772_366_400;
const WEB = { profile: "https_web", url: "https://a.test/" } as const;

const limits = (fields: Partial<FederationLimitsRecord> = {}): FederationLimitsRecord => ({
  any: false,
  idPatterns: [],
  audiences: [],
  endsAt: 0,
  purpose: "",
  owner: "",
  ...fields,
});

const bundle = (sequence: bigint): BundleRecord => ({
  trustDomain: "a.test",
  x509Authorities: [],
  jwtAuthorities: [],
  witAuthorities: [],
  refreshHintSeconds: 0,
  sequence,
});

async function setUp() {
  const store = await MemoryStore.open();
  const commits: Commit[] = [];
  store.onCommit((commit) => commits.push(commit));
  const write = async (
    mode: RelationshipMode,
    set: RelationshipWrite["set"],
    o: { origin?: string; bundle?: BundleRecord; now?: number } = {},
  ) => {
    const { origin = "admin", now = NOW } = o;
    const relationships = [{ trustDomain: "a.test", set, ...(o.bundle && { bundle: o.bundle }) }];
    const input = { relationships, mode, origin, now, actor: "uid:0" };
    return brief((await store.write("writeRelationships", input)).output[0]);
  };
  const remove = async (origin = "admin") => {
    const input = { trustDomains: ["a.test"], origin, now: NOW };
    return brief((await store.write("deleteRelationships", input)).output[0]);
  };
  const federate = async (unrestricted: readonly string[] = []) => {
    const entry = newEntry("e", {
      federatesWith: ["a.test"],
      unrestrictedFederation: unrestricted,
    });
    const input = { entries: [entry], now: NOW, actor: "uid:0" };
    const { output } = await store.write("createEntries", input);
    assert.equal(output[0]?.ok, true);
  };
  const changes = () =>
    commits
      .splice(0)
      .map((commit) => commit.changes.map(({ kind, action }) => `${kind} ${action}`));
  return { store, write, remove, federate, changes };
}

function brief(result: ItemResult<unknown> | undefined): unknown {
  return result?.ok ? "done" : result?.message;
}

describe("relationships in the store", () => {
  it("come with their bundle in one revision, and with a place for one otherwise", async () => {
    const { store, write, federate, changes } = await setUp();
    using _ = store;
    const set = { endpoint: WEB, limits: limits({ any: true }) };
    assert.equal(await write("create", set), "done");
    assert.deepEqual(changes(), [["federation create", "bundle create"]]);
    // An entry may federate with the trust domain before its first bundle is here.
    await federate(["a.test", "b.test"]);
    const found = await store.read("getEntry", { id: "e" });
    assert.deepEqual(found?.entry.unrestrictedFederation, ["a.test"]);
    assert.deepEqual(await store.read("countFederatingEntries", { trustDomain: "a.test" }), {
      entries: 1,
      unrestricted: 1,
    });
    changes();
    assert.equal(await write("update", {}, { bundle: bundle(5n) }), "done");
    assert.deepEqual(changes(), [["bundle update"]]);
    const [kept] = await store.read("listRelationships", {});
    assert.deepEqual([kept?.endpoint, kept?.limits.any, kept?.createdBy], [WEB, true, "uid:0"]);
  });

  it("are created once, updated only if there, and whole when new", async () => {
    const { store, write } = await setUp();
    using _ = store;
    assert.equal(await write("update", {}), "federation relationship does not exist");
    assert.equal(
      await write("create", { endpoint: WEB }),
      "a new relationship needs an endpoint and limits",
    );
    assert.equal(await write("create", { endpoint: WEB, limits: limits() }), "done");
    assert.equal(
      await write("create", { endpoint: WEB, limits: limits() }),
      "federation relationship already exists",
    );
  });

  it("of the configuration are changed by the configuration alone", async () => {
    const { store, write, remove } = await setUp();
    using _ = store;
    const set = { endpoint: WEB, limits: limits() };
    await write("set", set, { origin: "config" });
    const kept = "federation relationship is kept in the configuration of the server";
    assert.equal(await write("update", { limits: limits({ any: true }) }), kept);
    assert.equal(await remove(), kept);
    assert.equal(
      await write("update", { limits: limits({ any: true }) }, { origin: "config" }),
      "done",
    );
    assert.equal(await remove("config"), "done");
  });

  it("of others are not a registrar's to change", async () => {
    const { store, write, remove } = await setUp();
    using _ = store;
    await write("create", { endpoint: WEB, limits: limits() });
    const other = "federation relationship was made by admin";
    assert.equal(await write("update", { endpoint: WEB }, { origin: "cluster/east" }), other);
    assert.equal(await remove("cluster/east"), other);
  });

  it("take their bundle with them, or hide it while entries name it", async () => {
    const { store, write, remove, federate, changes } = await setUp();
    using _ = store;
    const set = { endpoint: WEB, limits: limits() };
    await write("create", set, { bundle: bundle(5n) });
    changes();
    assert.equal(await remove(), "done");
    assert.deepEqual(changes(), [["federation delete", "bundle delete"]]);
    await write("create", set, { bundle: bundle(5n) });
    await federate();
    changes();
    assert.equal(await remove(), "done");
    assert.deepEqual(changes(), [["federation update"]]);
    const [hidden] = await store.read("listRelationships", {});
    assert.deepEqual([hidden?.isDeleted, hidden?.endedAt], [true, NOW]);
    assert.equal(await remove(), "federation relationship does not exist");
    await store.write("writeBundles", { bundles: [bundle(6n)], mode: "set" });
    assert.deepEqual(await store.read("listRelationships", {}), []);
    assert.equal(await write("create", set), "done");
  });

  it("end at their time, once, and take no more bundles then", async () => {
    const { store, write, changes } = await setUp();
    using _ = store;
    await write("create", { endpoint: WEB, limits: limits({ endsAt: NOW + 10 }) });
    const end = async (now: number) =>
      (await store.write("endRelationships", { now })).output.map(({ endedAt }) => endedAt);
    const fetched = async () =>
      (await store.write("recordFetch", { trustDomain: "a.test", at: NOW, bundle: bundle(7n) }))
        .output;
    assert.deepEqual([await fetched(), await fetched()], [true, false]);
    assert.deepEqual(await store.read("listFetches", {}), new Map([["a.test", NOW]]));
    changes();
    assert.deepEqual(
      [await end(NOW + 9), await end(NOW + 10), await end(NOW + 11)],
      [[], [NOW + 10], []],
    );
    assert.deepEqual(changes(), [["federation update"]]);
    assert.equal(await fetched(), false);
    await write("update", { limits: limits({ endsAt: NOW + 99 }) }, { now: NOW + 20 });
    const [again] = await store.read("listRelationships", {});
    assert.equal(again?.endedAt, 0);
  });
});
