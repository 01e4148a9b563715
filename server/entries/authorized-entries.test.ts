import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { MemoryStore } from "../../test/fakes/memory-store.ts";
import { RecordingLog } from "../../test/fakes/recording-log.ts";
import { newEntry, selector } from "../../test/support/entries.ts";
import type { Commit } from "../store/commit.ts";
import type { EntryUpdate, NewEntry } from "../store/contract/entries.ts";
import type { Store } from "../store/store.ts";
import type { AuthorizationDelta } from "./authorization.ts";
import { AuthorizedEntries } from "./authorized-entries.ts";

const NOW = 1_772_366_400;
const SERVER = "spiffe://example.test/spire/server";
const AGENT = "spiffe://example.test/spire/agent/x509pop/node";
const CLUSTER = "spiffe://example.test/cluster";

async function load(store: Store): Promise<AuthorizedEntries> {
  return await AuthorizedEntries.load({ store, serverId: SERVER, log: new RecordingLog().log });
}

async function create(store: Store, ...entries: readonly NewEntry[]): Promise<void> {
  const { output } = await store.write("createEntries", { entries, now: NOW, actor: "test" });
  assert.deepEqual(
    output.map(({ ok }) => ok),
    entries.map(() => true),
  );
}

async function update(store: Store, id: string, set: EntryUpdate["set"]): Promise<void> {
  await store.write("updateEntries", { updates: [{ id, set }], actor: "test" });
}

async function attest(store: Store, ...selectors: readonly string[]): Promise<void> {
  await store.write("recordAttestation", {
    id: AGENT,
    attestationType: "x509pop",
    serial: "1",
    expiresAt: NOW + 3600,
    publicKeyHash: "00",
    selectors: selectors.map(selector),
    canReattest: true,
    now: NOW,
  });
}

/** An alias that the node has, an entry below it, and one below that. */
const ALIAS = newEntry("alias", {
  parentId: SERVER,
  spiffeId: CLUSTER,
  selectors: [selector("k8s_psat:cluster:prod")],
});
const CHILD = newEntry("child", { parentId: CLUSTER });
const GRANDCHILD = newEntry("grandchild", { parentId: CHILD.spiffeId });

function seen(index: AuthorizedEntries): string[] {
  return index
    .forAgent(AGENT)
    .map(({ id }) => id)
    .toSorted();
}

function brief({ revision, upserted, removed, reachChanged }: AuthorizationDelta): object {
  const ids = upserted.map(({ id }) => id);
  return { revision, upserted: ids.toSorted(), removed: removed.toSorted(), reachChanged };
}

describe("AuthorizedEntries", () => {
  it("loads what is there, also for agents that have not attested", async () => {
    using store = await MemoryStore.open();
    await create(
      store,
      newEntry("own", { parentId: AGENT }),
      newEntry("other", { parentId: CLUSTER }),
    );
    using index = await load(store);
    assert.equal(index.revision, 1n);
    assert.equal(index.size, 2);
    assert.deepEqual(seen(index), ["own"]);
    assert.equal(index.find(AGENT, "own")?.id, "own");
    assert.equal(index.find(AGENT, "other"), undefined);
    assert.equal(index.find(AGENT, "none"), undefined);
  });

  it("follows aliases and parents of parents, and leaves the alias itself out", async () => {
    using store = await MemoryStore.open();
    await create(store, ALIAS, CHILD, GRANDCHILD);
    using index = await load(store);
    assert.deepEqual(seen(index), []);
    await attest(store, "k8s_psat:cluster:prod", "k8s_psat:agent_ns:assay");
    assert.deepEqual(seen(index), ["child", "grandchild"]);
    assert.equal(index.find(AGENT, "grandchild")?.spiffeId, GRANDCHILD.spiffeId);
    assert.equal(index.find(AGENT, "alias"), undefined);
  });

  it("takes back what hung on an alias that no longer fits the node", async () => {
    using store = await MemoryStore.open();
    await create(store, ALIAS, CHILD, GRANDCHILD);
    await attest(store, "k8s_psat:cluster:prod");
    using index = await load(store);
    const deltas: object[] = [];
    using _ = index.watch(AGENT, (delta) => deltas.push(brief(delta)));
    await update(store, "alias", { selectors: [selector("k8s_psat:cluster:test")] });
    await update(store, "alias", { selectors: [selector("k8s_psat:cluster:prod")] });
    assert.deepEqual(deltas, [
      { revision: 3n, upserted: [], removed: ["child", "grandchild"], reachChanged: true },
      { revision: 4n, upserted: ["child", "grandchild"], removed: [], reachChanged: true },
    ]);
  });

  it("keeps what is reached in another way when one way goes", async () => {
    using store = await MemoryStore.open();
    const second = { ...ALIAS, id: "second", selectors: [selector("k8s_psat:agent_ns:assay")] };
    await create(store, ALIAS, second, CHILD);
    await attest(store, "k8s_psat:cluster:prod", "k8s_psat:agent_ns:assay");
    using index = await load(store);
    const deltas: object[] = [];
    using _ = index.watch(AGENT, (delta) => deltas.push(brief(delta)));
    await store.write("deleteEntries", { ids: ["alias"] });
    assert.deepEqual(deltas, [{ revision: 3n, upserted: [], removed: [], reachChanged: true }]);
    assert.deepEqual(seen(index), ["child"]);
  });

  it("tells of entries that appear, change and disappear, and of nothing else", async () => {
    using store = await MemoryStore.open();
    using index = await load(store);
    const deltas: object[] = [];
    using _ = index.watch(AGENT, (delta) => deltas.push(brief(delta)));
    await create(store, newEntry("own", { parentId: AGENT }));
    await create(store, newEntry("foreign", { parentId: CLUSTER }));
    await create(store, newEntry("second", { parentId: AGENT }));
    await update(store, "own", { hint: "web" });
    await store.write("deleteEntries", { ids: ["own", "foreign"] });
    assert.deepEqual(deltas, [
      { revision: 1n, upserted: ["own"], removed: [], reachChanged: true },
      { revision: 3n, upserted: ["second"], removed: [], reachChanged: false },
      { revision: 4n, upserted: ["own"], removed: [], reachChanged: false },
      { revision: 5n, upserted: [], removed: ["own"], reachChanged: false },
    ]);
  });

  it("shows nothing to a banned agent and all of it to one that was evicted and attests again", async () => {
    using store = await MemoryStore.open();
    await create(store, ALIAS, CHILD, newEntry("own", { parentId: AGENT }));
    await attest(store, "k8s_psat:cluster:prod");
    using index = await load(store);
    const deltas: object[] = [];
    using _ = index.watch(AGENT, (delta) => deltas.push(brief(delta)));
    await store.write("banNode", { id: AGENT });
    assert.deepEqual(seen(index), []);
    assert.equal(index.find(AGENT, "own"), undefined);
    await store.write("deleteNode", { id: AGENT });
    assert.deepEqual(seen(index), ["own"]);
    await attest(store, "k8s_psat:cluster:prod");
    assert.deepEqual(seen(index), ["child", "own"]);
    assert.deepEqual(deltas, [
      { revision: 3n, upserted: [], removed: ["child", "own"], reachChanged: true },
      { revision: 4n, upserted: ["own"], removed: [], reachChanged: true },
      { revision: 5n, upserted: ["child"], removed: [], reachChanged: true },
    ]);
  });

  it("names the foreign trust domains that an agent's workloads need", async () => {
    using store = await MemoryStore.open();
    const bundle = {
      x509Authorities: [],
      jwtAuthorities: [],
      witAuthorities: [],
      refreshHintSeconds: 0,
      sequence: 1n,
    };
    const names = ["a.test", "b.test", "c.test"];
    const bundles = names.map((trustDomain) => ({ trustDomain, ...bundle }));
    await store.write("writeBundles", { bundles, mode: "create" });
    await create(
      store,
      newEntry("one", { parentId: AGENT, federatesWith: ["b.test", "a.test"] }),
      newEntry("two", { parentId: AGENT, federatesWith: ["a.test"] }),
      newEntry("foreign", { parentId: CLUSTER, federatesWith: ["c.test"] }),
    );
    using index = await load(store);
    assert.deepEqual([...index.federatedTrustDomains(AGENT)].toSorted(), ["a.test", "b.test"]);
  });

  it("has every commit that came while it loaded", async () => {
    using store = await MemoryStore.open();
    await create(
      store,
      newEntry("before", { parentId: AGENT }),
      newEntry("gone", { parentId: AGENT }),
    );
    const loading = load(store);
    await store.write("deleteEntries", { ids: ["gone"] });
    await create(store, newEntry("meanwhile", { parentId: AGENT }));
    using index = await loading;
    assert.deepEqual(seen(index), ["before", "meanwhile"]);
    assert.equal(index.revision, 3n);
    assert.equal(index.isCurrent, true);
  });

  it("keeps its view when revisions are missing, reads them from the log, and goes on", async () => {
    using inner = await MemoryStore.open();
    const store = new LossyStore(inner);
    await create(
      store,
      newEntry("first", { parentId: AGENT }),
      newEntry("gone", { parentId: AGENT }),
    );
    using index = await load(store);
    const deltas: object[] = [];
    const told = new Promise<void>((resolve) => {
      index.watch(AGENT, (delta) => {
        deltas.push(brief(delta));
        resolve();
      });
    });
    store.losing = true;
    await create(store, newEntry("lost", { parentId: AGENT }));
    await store.write("deleteEntries", { ids: ["gone"] });
    await attest(store, "k8s_psat:cluster:prod");
    store.losing = false;
    const meanwhile: object[] = [];
    store.onCommit(() => meanwhile.push([index.revision, index.isCurrent, seen(index)]));
    await create(store, newEntry("next", { parentId: AGENT }));
    await told;
    assert.deepEqual(meanwhile, [[1n, false, ["first", "gone"]]]);
    assert.deepEqual(deltas, [
      { revision: 5n, upserted: ["lost", "next"], removed: ["gone"], reachChanged: true },
    ]);
    assert.equal(index.isCurrent, true);
    assert.deepEqual(seen(index), ["first", "lost", "next"]);
  });

  it("reads everything anew when the log does not reach back", async () => {
    using inner = await MemoryStore.open();
    const store = new LossyStore(inner);
    await create(
      store,
      newEntry("gone", { parentId: AGENT }),
      newEntry("kept", { parentId: AGENT }),
    );
    using index = await load(store);
    const deltas: AuthorizationDelta[] = [];
    const told = new Promise<void>((resolve) => {
      index.watch(AGENT, (delta) => {
        deltas.push(delta);
        resolve();
      });
    });
    store.losing = true;
    await store.write("deleteEntries", { ids: ["gone"] });
    await create(store, newEntry("lost", { parentId: AGENT }));
    await store.write("pruneChangeLog", { before: NOW + 1, maxChanges: 0, limit: 100 });
    store.losing = false;
    await create(store, newEntry("next", { parentId: AGENT }));
    await told;
    assert.deepEqual(deltas.map(brief), [
      { revision: 4n, upserted: ["lost", "next"], removed: ["gone"], reachChanged: true },
    ]);
    assert.deepEqual(seen(index), ["kept", "lost", "next"]);
  });

  it("ignores a revision that it has", async () => {
    using inner = await MemoryStore.open();
    const store = new LossyStore(inner);
    await create(store, newEntry("a", { parentId: AGENT }));
    using index = await load(store);
    store.tell({ revision: 1n, changes: [{ kind: "entry", id: "a", action: "delete" }] });
    assert.deepEqual(seen(index), ["a"]);
    assert.equal(index.revision, 1n);
  });
});

/** A store whose commits can get lost on the way to its listeners. */
class LossyStore implements Store {
  losing = false;
  readonly #inner: MemoryStore;
  readonly #listeners = new Set<(commit: Commit) => void>();

  constructor(inner: MemoryStore) {
    this.#inner = inner;
    inner.onCommit((commit) => {
      if (!this.losing) this.tell(commit);
    });
  }

  readonly write: Store["write"] = (...call) => this.#inner.write(...call);
  readonly read: Store["read"] = (...call) => this.#inner.read(...call);
  readonly backup: Store["backup"] = () => this.#inner.backup();

  get incarnation(): string {
    return this.#inner.incarnation;
  }

  get revision(): bigint {
    return this.#inner.revision;
  }

  get fault(): Store["fault"] {
    return this.#inner.fault;
  }

  tell(commit: Commit): void {
    for (const listener of this.#listeners) listener(commit);
  }

  onCommit(listener: (commit: Commit) => void): Disposable {
    this.#listeners.add(listener);
    return { [Symbol.dispose]: () => void this.#listeners.delete(listener) };
  }
}
