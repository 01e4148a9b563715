import assert from "node:assert/strict";
import { getEventListeners } from "node:events";
import { describe, it } from "node:test";
import { Feed } from "./feed.ts";

const open = <T>(feed: Feed<T>): { reader: AsyncIterator<T>; controller: AbortController } => {
  const controller = new AbortController();
  return { reader: feed.subscribe(controller.signal)[Symbol.asyncIterator](), controller };
};

describe("Feed", () => {
  it("gives the current value first, then each change", async () => {
    const feed = new Feed(1);
    const { reader } = open(feed);
    assert.deepEqual(await reader.next(), { done: false, value: 1 });
    const next = reader.next();
    feed.set(2);
    assert.deepEqual(await next, { done: false, value: 2 });
    assert.equal(feed.value, 2);
  });

  it("shows a slow reader only the newest value", async () => {
    const feed = new Feed(1);
    const { reader } = open(feed);
    await reader.next();
    feed.set(2);
    feed.set(3);
    feed.set(4);
    assert.deepEqual(await reader.next(), { done: false, value: 4 });
  });

  it("serves readers independently of each other", async () => {
    const feed = new Feed("a");
    const first = open(feed).reader;
    const second = open(feed).reader;
    await first.next();
    feed.set("b");
    assert.equal((await second.next()).value, "b");
    assert.equal((await first.next()).value, "b");
  });

  it("ends a waiting reader when its signal aborts and keeps no listener", async () => {
    const feed = new Feed(1);
    const { reader, controller } = open(feed);
    await reader.next();
    const waiting = reader.next();
    assert.equal(getEventListeners(controller.signal, "abort").length, 1);
    controller.abort();
    assert.equal((await waiting).done, true);
    assert.equal((await reader.next()).done, true);
    assert.equal(getEventListeners(controller.signal, "abort").length, 0);
  });

  it("ends a waiting reader at once on return()", async () => {
    const feed = new Feed(1);
    const { reader, controller } = open(feed);
    await reader.next();
    const waiting = reader.next();
    await reader.return?.();
    assert.equal((await waiting).done, true);
    assert.equal(getEventListeners(controller.signal, "abort").length, 0);
  });

  it("wakes readers even if the value is the same", async () => {
    const feed = new Feed<undefined>(undefined);
    const { reader } = open(feed);
    await reader.next();
    const waiting = reader.next();
    feed.set(undefined);
    assert.equal((await waiting).done, false);
  });

  it("adds no listeners to the signal however many values pass", async () => {
    const feed = new Feed(0);
    const { reader, controller } = open(feed);
    for (let i = 0; i < 50; i++) {
      feed.set(i);
      await reader.next();
    }
    assert.equal(getEventListeners(controller.signal, "abort").length, 0);
  });
});
