import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Feed } from "../../runtime/feed.ts";
import { FakeClock } from "../../test/fakes/fake-clock.ts";
import { Outbox } from "./outbox.ts";
import { untilChanged } from "./until-changed.ts";

describe("Outbox", () => {
  it("gives messages in order, also those that come while someone waits, until it is closed", async () => {
    const outbox = new Outbox<number>();
    outbox.push(1);
    const all = Array.fromAsync(outbox);
    await Promise.resolve();
    outbox.push(2);
    outbox.push(3);
    outbox.close();
    outbox.push(4);
    assert.deepEqual(await all, [1, 2, 3]);
  });

  it("sends the newest of those that say the same thing", async () => {
    const outbox = new Outbox<string>();
    outbox.push("heartbeat 1", "heartbeat");
    outbox.push("other");
    outbox.push("heartbeat 2", "heartbeat");
    outbox.close();
    assert.deepEqual(await Array.fromAsync(outbox), ["other", "heartbeat 2"]);
  });
});

describe("untilChanged", () => {
  const setUp = () => ({
    feed: new Feed(1),
    clock: new FakeClock(),
    controller: new AbortController(),
  });

  it("ends when the value is another one", async () => {
    const { feed, clock, controller } = setUp();
    const done = untilChanged(feed, { seen: 1, ms: 1000, clock, signal: controller.signal });
    feed.set(1);
    await clock.advance(10);
    assert.equal(clock.sleeping, 1);
    feed.set(2);
    await done;
    assert.equal(clock.sleeping, 0);
  });

  it("ends at once when the value has changed already", async () => {
    const { feed, clock, controller } = setUp();
    await untilChanged(feed, { seen: 0, ms: 1000, clock, signal: controller.signal });
  });

  it("ends when the time is up, and when it is told to", async () => {
    const { feed, clock, controller } = setUp();
    const timed = untilChanged(feed, { seen: 1, ms: 1000, clock, signal: controller.signal });
    await clock.advance(1000);
    await timed;
    const told = untilChanged(feed, { seen: 1, ms: 1000, clock, signal: controller.signal });
    controller.abort();
    await told;
    await untilChanged(feed, { seen: 1, ms: 1000, clock, signal: controller.signal });
  });
});
