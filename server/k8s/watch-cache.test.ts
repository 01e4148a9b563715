import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { FakeClock } from "../../test/fakes/fake-clock.ts";
import { FakeRandom } from "../../test/fakes/fake-random.ts";
import { RecordingLog } from "../../test/fakes/recording-log.ts";
import { ScriptedKube } from "../../test/fakes/scripted-kube.ts";
import { KubeError } from "./kube-error.ts";
import { parseNode } from "./objects/node.ts";
import { NODES } from "./resources.ts";
import { type CacheEvent, WatchCache } from "./watch-cache.ts";

const node = (name: string, version: number, labels: Record<string, string> = {}, uid = name) => ({
  metadata: { name, uid: `uid-${uid}`, resourceVersion: String(version), labels },
});

/** A cache over a scripted API server, and what it said, as short words. */
async function open(...pages: readonly (readonly object[])[]) {
  const kube = new ScriptedKube();
  const clock = new FakeClock();
  const recording = new RecordingLog();
  const cache = new WatchCache({
    client: kube,
    resource: NODES,
    parse: parseNode,
    clock,
    random: new FakeRandom(),
    log: recording.log,
  });
  const said: string[] = [];
  cache.onEvent((event) => said.push(inWords(event)));
  const stop = new AbortController();
  kube.lists.push(...pages);
  const running = cache.run(stop.signal);
  await kube.watched();
  return {
    cache,
    kube,
    clock,
    said,
    recording,
    /** Lets time pass until the next watch is open. */
    async untilWatched() {
      let isOpen = false;
      void kube.watched().then(() => {
        isOpen = true;
      });
      while (!isOpen) await clock.advance(1000);
    },
    async [Symbol.asyncDispose]() {
      stop.abort();
      await running;
    },
  };
}

function inWords(event: CacheEvent<{ readonly name: string }>): string {
  switch (event.kind) {
    case "added":
    case "changed":
      return `${event.kind} ${event.now.name}`;
    case "removed":
      return `removed ${event.was.name}${event.isSeen ? "" : ", unseen"}`;
    case "listed":
      return `listed ${event.kept}, without ${event.vanished.map(({ name }) => name)}`;
  }
}

describe("WatchCache", () => {
  it("lists once, then follows each change", async () => {
    await using world = await open([node("a", 1), node("b", 2)]);
    const { cache, kube, said } = world;
    assert.deepEqual([cache.isReady, cache.isCurrent, cache.size], [true, true, 2]);
    await kube.send("ADDED", node("c", 3));
    await kube.send("MODIFIED", node("a", 4, { zone: "x" }));
    await kube.send("DELETED", node("b", 5));
    assert.deepEqual(said, [
      "added a",
      "added b",
      "listed 2, without ",
      "added c",
      "changed a",
      "removed b",
    ]);
    assert.deepEqual(cache.get("a")?.labels, { zone: "x" });
    assert.equal(cache.get("b"), undefined);
    assert.equal(kube.calls.lists, 1);
  });

  it("says nothing of a change that leaves what we keep as it was, and keeps the very value", async () => {
    await using world = await open([node("a", 1)]);
    const before = world.cache.get("a");
    await world.kube.send("MODIFIED", node("a", 2));
    assert.equal(world.cache.get("a"), before);
    assert.deepEqual(world.said.slice(2), []);
  });

  it("tells a name that a list gives to another object from a change, and from a deletion", async () => {
    await using world = await open([node("a", 1), node("b", 2)]);
    world.kube.lists.push([node("a", 3, {}, "other"), node("b", 2)]);
    world.kube.end(new KubeError("gone", "too old"));
    await world.untilWatched();
    assert.deepEqual(world.said.slice(3), ["removed a, unseen", "added a", "listed 2, without "]);
  });

  for (const type of ["MODIFIED", "ADDED", "DELETED"] as const) {
    it(`lists again when a watch goes on with another object of the name: ${type}`, async () => {
      await using world = await open([node("a", 1)]);
      world.kube.lists.push([node("a", 3, {}, "other")]);
      const sending = new AbortController();
      void world.kube.send(type, node("a", 2, {}, "other")).finally(() => sending.abort());
      while (!sending.signal.aborted) await world.clock.advance(1000);
      assert.deepEqual(world.said.slice(2), ["removed a, unseen", "added a", "listed 1, without "]);
      assert.equal(world.kube.calls.lists, 2);
    });
  }

  it("goes on after the last version or bookmark when the watch ends", async () => {
    await using world = await open([node("a", 1)]);
    const { kube } = world;
    await kube.send("BOOKMARK", { metadata: { resourceVersion: "77" } });
    kube.end();
    await world.untilWatched();
    assert.equal(kube.calls.watchedFrom.at(-1), "77");
    assert.equal(kube.calls.lists, 1);
  });

  for (const where of ["at the start of a watch", "within a watch"]) {
    it(`lists again when the version is too old, ${where}`, async () => {
      await using world = await open([node("a", 1), node("b", 2), node("c", 3)]);
      const { kube, said } = world;
      const gone = new KubeError("gone", "too old");
      kube.lists.push([node("a", 1), node("c", 9, { zone: "x" }), node("d", 10)]);
      if (where === "within a watch") kube.end(gone);
      else {
        kube.refusals.push(gone);
        kube.end();
      }
      await world.untilWatched();
      assert.deepEqual(said.slice(4), ["changed c", "added d", "listed 3, without b"]);
      assert.deepEqual(world.recording.messages("warn"), []);
    });
  }

  it("keeps its view while the API server is away, says so once, and grows older", async () => {
    await using world = await open([node("a", 1)]);
    const { cache, kube, clock, recording } = world;
    for (let i = 0; i < 5; i += 1) kube.refusals.push(new KubeError("unavailable", "away"));
    kube.end(new KubeError("unavailable", "reset"));
    await clock.whenSleeping();
    assert.equal(cache.isCurrent, false);
    assert.equal(cache.get("a")?.name, "a");
    await world.untilWatched();
    assert.deepEqual(recording.messages(), [
      "Watch of the cluster does not get through",
      "Watch goes on",
    ]);
    assert.equal(cache.isCurrent, true);
    assert.equal(kube.calls.lists, 1);
  });

  it("tells how old its view is", async () => {
    await using world = await open([node("a", 1)]);
    const { cache, kube, clock } = world;
    await clock.advance(5000);
    assert.equal(cache.ageMs, 5000);
    await kube.send("BOOKMARK", { metadata: { resourceVersion: "9" } });
    assert.equal(cache.ageMs, 0);
  });

  it("leaves out what cannot be read, and goes on", async () => {
    const bad = { metadata: { name: "bad", uid: "..", resourceVersion: "2" } };
    await using world = await open([node("a", 1), bad]);
    const { cache, kube, said, recording } = world;
    await kube.send("MODIFIED", { metadata: { ...node("a", 2).metadata, labels: "bad" } });
    await kube.send("ADDED", node("b", 3));
    assert.deepEqual(said, ["added a", "listed 1, without ", "removed a", "added b"]);
    assert.equal(cache.size, 1);
    assert.deepEqual(recording.messages("warn"), [
      "Object of the cluster cannot be read",
      "Object of the cluster cannot be read",
    ]);
  });

  it("asks for smaller pages where objects are large", async () => {
    await using world = await open();
    world.kube.lists.push([node("a", 1)]);
    world.kube.listRefusals.push(
      new KubeError("too_large", "page"),
      new KubeError("too_large", "page"),
    );
    world.kube.end(new KubeError("gone", "too old"));
    await world.untilWatched();
    assert.deepEqual(world.kube.calls.limits.slice(1), [250, 32, 4]);
    assert.equal(world.cache.size, 1);
  });

  it("is ready after the first list", async () => {
    const kube = new ScriptedKube();
    const cache = new WatchCache({
      client: kube,
      resource: NODES,
      parse: parseNode,
      clock: new FakeClock(),
      random: new FakeRandom(),
      log: new RecordingLog().log,
    });
    assert.equal(cache.isReady, false);
    assert.equal(cache.ageMs, Number.POSITIVE_INFINITY);
    const stop = new AbortController();
    await assert.rejects(cache.ready(AbortSignal.abort(new Error("enough"))), /enough/);
    const running = cache.run(stop.signal);
    await cache.ready(stop.signal);
    stop.abort();
    await running;
  });
});
