import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { NODES } from "../../server/k8s/resources.ts";
import { ScriptedKube } from "./scripted-kube.ts";

describe("ScriptedKube", () => {
  it("answers lists in the order of the script, then empty ones", async () => {
    const kube = new ScriptedKube();
    kube.lists.push([{ a: 1 }]);
    kube.listRefusals.push(new Error("first"));
    const list = () => kube.listPage(NODES, {}, { limit: 5 });
    await assert.rejects(list(), /first/);
    assert.deepEqual((await list()).items, [{ a: 1 }]);
    assert.deepEqual((await list()).items, []);
    assert.deepEqual(kube.calls.limits, [5, 5, 5]);
  });

  it("yields what is sent, and ends as it is told", async () => {
    const kube = new ScriptedKube();
    const { signal } = new AbortController();
    const seen: unknown[] = [];
    const reading = (async () => {
      for await (const line of await kube.watch(NODES, {}, "7", signal)) seen.push(line);
    })();
    await kube.watched();
    await kube.send("ADDED", { a: 1 });
    assert.deepEqual(seen, [{ type: "ADDED", object: { a: 1 } }]);
    kube.end(new Error("over"));
    await assert.rejects(reading, /over/);
    assert.deepEqual(kube.calls.watchedFrom, ["7"]);
  });

  it("ends a watch with its signal", async () => {
    const kube = new ScriptedKube();
    const stop = new AbortController();
    const lines = await kube.watch(NODES, {}, "7", stop.signal);
    stop.abort();
    assert.deepEqual(await Array.fromAsync(lines), []);
  });
});
