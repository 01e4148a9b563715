import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { MemoryStore } from "../../../test/fakes/memory-store.ts";
import type { Commit } from "../commit.ts";

const EAST = {
  name: "east",
  access: { server: "https://east:6443/", tls: { ca: "PEM" }, token: "secret" },
  rules: {
    serviceAccounts: ["assay-system:assay-agent"],
    audiences: ["assay-server"],
    agentIdBy: "node",
    nodeLabels: [],
    podLabels: [],
  },
} as const;

describe("clusters in the store", () => {
  it("are kept as they came, by name", async () => {
    using store = await MemoryStore.open();
    await store.write("addCluster", { ...EAST, name: "west", now: 2, actor: "uid:0" });
    await store.write("addCluster", { ...EAST, now: 1, actor: "uid:1" });
    assert.deepEqual(await store.read("listClusters", {}), [
      { ...EAST, createdAt: 1, createdBy: "uid:1" },
      { ...EAST, name: "west", createdAt: 2, createdBy: "uid:0" },
    ]);
  });

  it("have one name each", async () => {
    using store = await MemoryStore.open();
    await store.write("addCluster", { ...EAST, now: 1, actor: "uid:0" });
    await assert.rejects(store.write("addCluster", { ...EAST, now: 1, actor: "uid:0" }), {
      code: 6,
      message: "cluster east already exists",
    });
  });

  it("go when they are removed, once", async () => {
    using store = await MemoryStore.open();
    await store.write("addCluster", { ...EAST, now: 1, actor: "uid:0" });
    const { output } = await store.write("removeCluster", { name: "east" });
    assert.equal(output.name, "east");
    assert.deepEqual(await store.read("listClusters", {}), []);
    await assert.rejects(store.write("removeCluster", { name: "east" }), {
      code: 5,
      message: "cluster not found",
    });
  });

  it("tell who follows the store their name and nothing else", async () => {
    using store = await MemoryStore.open();
    const commits: Commit[] = [];
    store.onCommit((commit) => commits.push(commit));
    await store.write("addCluster", { ...EAST, now: 1, actor: "uid:0" });
    await store.write("removeCluster", { name: "east" });
    assert.deepEqual(
      commits.flatMap(({ changes }) => changes),
      [
        { kind: "cluster", id: "east", action: "create", after: { name: "east" } },
        { kind: "cluster", id: "east", action: "delete", before: { name: "east" } },
      ],
    );
  });
});
