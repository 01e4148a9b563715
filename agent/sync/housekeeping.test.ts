import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { FakeClock } from "../../test/fakes/fake-clock.ts";
import { FakeRandom } from "../../test/fakes/fake-random.ts";
import { cachedEntry, recordFor } from "../../test/support/cached-entries.ts";
import { WorkloadCache } from "../cache/workload-cache.ts";
import { Contact } from "./contact.ts";
import { retryOnReconnect, runHousekeeping } from "./housekeeping.ts";

function setUp() {
  const clock = new FakeClock();
  const cache = new WorkloadCache({
    trustDomain: "td.test",
    clock,
    random: new FakeRandom(),
    maxX509Svids: 100,
    maxJwtSvids: 100,
    issueJwtSvid: () => Promise.reject(new Error("not here")),
    onBinding: () => {},
    onDelivery: () => {},
  });
  const entries = [cachedEntry("a", ["uid:1"])];
  cache.apply({
    revision: 1n,
    entries,
    removedEntryIds: [],
    federationLimits: new Map(),
    bundles: [],
    removedBundles: [],
  });
  return { clock, cache, end: new AbortController() };
}

describe("runHousekeeping", () => {
  it("drops keys with their SVIDs while no server is there, and has the state written", async () => {
    const { clock, cache, end } = setUp();
    for (const order of cache.svids.takeDue(10)) {
      cache.svids.complete(order, recordFor(order, clock.now()));
    }
    let changes = 0;
    const contact = new Contact(clock, undefined);
    const changed = () => {
      changes += 1;
    };
    const running = runHousekeeping({ cache, contact, changed, clock }, end.signal);
    await clock.advance(3_599_000);
    assert.deepEqual([cache.svids.size, changes], [1, 0]);
    await clock.advance(1_000);
    assert.deepEqual([cache.svids.size, changes], [0, 1]);
    end.abort();
    await running;
  });

  it("has the last contact written once a minute, and not without one", async () => {
    const { clock, cache, end } = setUp();
    let changes = 0;
    const contact = new Contact(clock, undefined);
    const changed = () => {
      changes += 1;
    };
    const running = runHousekeeping({ cache, contact, changed, clock }, end.signal);
    await clock.advance(120_000);
    assert.equal(changes, 0);
    for (let i = 0; i < 12; i++) {
      contact.made();
      await clock.advance(10_000);
    }
    assert.equal(changes, 2);
    end.abort();
    await running;
  });
});

describe("retryOnReconnect", () => {
  it("lets failed orders go at once when a server is back", async () => {
    const { cache, end } = setUp();
    const running = retryOnReconnect(cache, end.signal);
    for (const order of cache.svids.takeDue(10)) cache.svids.fail(order);
    assert.deepEqual(cache.svids.takeDue(10), []);
    cache.setStatus({ connected: true });
    await new Promise((resolve) => setImmediate(resolve));
    assert.equal(cache.svids.takeDue(10).length, 1);
    end.abort();
    await running;
  });
});
