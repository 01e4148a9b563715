import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { invalidArgument, unavailable } from "../../runtime/errors/status-error.ts";
import { FakeClock } from "../../test/fakes/fake-clock.ts";
import { type JwtSvid, TokenCache, type TokenRequest } from "./token-cache.ts";

const LIFE_MS = 300_000;
const { signal } = new AbortController();
const cached = { fresh: false, signal };

function setUp(maxSvids = 100) {
  const clock = new FakeClock();
  const state = { keyId: "old", epoch: "1", calls: 0, error: undefined as Error | undefined };
  const answer = { hold: Promise.resolve() };
  const cache = new TokenCache({
    clock,
    maxSvids,
    epoch: () => state.epoch,
    issue: async (request): Promise<JwtSvid> => {
      state.calls += 1;
      const token = `${request.entryId} ${request.audience.join("+")} #${state.calls}`;
      await answer.hold;
      if (state.error !== undefined) throw state.error;
      const issuedAt = clock.now();
      const expiresAt = new Date(issuedAt.getTime() + LIFE_MS);
      const { keyId } = state;
      return { token, spiffeId: "spiffe://td.test/a", hint: "", issuedAt, expiresAt, keyId };
    },
  });
  return { clock, state, cache, answer };
}

const request = (changes: Partial<TokenRequest> = {}): TokenRequest => ({
  entryId: "a",
  instance: "uid:1",
  audience: ["db"],
  ...changes,
});

describe("TokenCache", () => {
  it("serves a token for half of its life, whatever the order of its audiences", async () => {
    const { clock, cache } = setUp();
    const first = await cache.fetch(request({ audience: ["db", "queue"] }), cached);
    await clock.advance(LIFE_MS / 2 - 1);
    assert.equal(await cache.fetch(request({ audience: ["queue", "db"] }), cached), first);
    await clock.advance(1);
    assert.notEqual(await cache.fetch(request({ audience: ["db", "queue"] }), cached), first);
  });

  it("serves no token again whose key is not among the good ones any more", async () => {
    const { state, cache } = setUp();
    const old = await cache.fetch(request(), cached);
    state.keyId = "new";
    const kept = await cache.fetch(request({ entryId: "b" }), cached);
    cache.keepSignedBy(new Set(["new"]));
    assert.notEqual(await cache.fetch(request(), cached), old);
    assert.equal(await cache.fetch(request({ entryId: "b" }), cached), kept);
  });

  it("tells entries, instances and audiences apart", async () => {
    const { state, cache } = setUp();
    await cache.fetch(request(), cached);
    await cache.fetch(request({ entryId: "b" }), cached);
    await cache.fetch(request({ instance: "uid:2" }), cached);
    await cache.fetch(request({ audience: ["queue"] }), cached);
    assert.equal(state.calls, 4);
  });

  for (const fresh of [false, true]) {
    it(`hands out no ${fresh ? "fresh" : "shared"} token that was asked for under another epoch`, async () => {
      const { state, cache, answer } = setUp();
      const { promise, resolve } = Promise.withResolvers<void>();
      answer.hold = promise;
      const before = cache.fetch(request(), { fresh, signal });
      state.epoch = "2";
      const after = cache.fetch(request(), { fresh, signal });
      resolve();
      assert.notEqual((await before).token, "a db #1");
      assert.notEqual((await after).token, "a db #1");
    });
  }

  it("falls back on an ageing token while the server is away, until it ends", async () => {
    const { clock, state, cache } = setUp();
    const first = await cache.fetch(request(), cached);
    state.error = unavailable("away");
    await clock.advance(LIFE_MS - 1);
    assert.equal(await cache.fetch(request(), cached), first);
    await clock.advance(1);
    await assert.rejects(cache.fetch(request(), cached), { message: "away" });
  });

  it("does not fall back when the server refuses", async () => {
    const { clock, state, cache } = setUp();
    await cache.fetch(request(), cached);
    state.error = invalidArgument("no");
    await clock.advance(LIFE_MS / 2);
    await assert.rejects(cache.fetch(request(), cached), { code: 3, message: "no" });
  });

  it("serves no token of an earlier epoch", async () => {
    const { state, cache } = setUp();
    const first = await cache.fetch(request(), cached);
    state.epoch = "2";
    assert.notEqual(await cache.fetch(request(), cached), first);
  });

  it("asks once for callers that come together, and outlives the one who asked first", async () => {
    const { state, cache, answer } = setUp();
    const { promise, resolve } = Promise.withResolvers<void>();
    answer.hold = promise;
    const leaving = new AbortController();
    const first = cache.fetch(request(), { fresh: false, signal: leaving.signal });
    const second = cache.fetch(request(), cached);
    leaving.abort();
    await assert.rejects(first, { name: "AbortError" });
    resolve();
    assert.equal((await second).token, "a db #1");
    assert.equal(state.calls, 1);
  });

  it("keeps nothing that comes back after its entry changed", async () => {
    const { state, cache, answer } = setUp();
    const { promise, resolve } = Promise.withResolvers<void>();
    answer.hold = promise;
    const fetching = cache.fetch(request(), cached);
    cache.removeEntry("a");
    resolve();
    await fetching;
    assert.equal(cache.size, 0);
    await cache.fetch(request(), cached);
    assert.equal(state.calls, 2);
  });

  it("always asks when each token is to be new", async () => {
    const { state, cache } = setUp();
    await cache.fetch(request(), { fresh: true, signal });
    await cache.fetch(request(), { fresh: true, signal });
    assert.deepEqual([state.calls, cache.size], [2, 0]);
  });

  it("holds no more than it may, and lets the longest unused go", async () => {
    const { state, cache } = setUp(2);
    const a = request();
    const b = request({ entryId: "b" });
    await cache.fetch(a, cached);
    await cache.fetch(b, cached);
    await cache.fetch(a, cached);
    await cache.fetch(request({ entryId: "c" }), cached);
    assert.equal(cache.size, 2);
    await cache.fetch(a, cached);
    assert.equal(state.calls, 3);
    await cache.fetch(b, cached);
    assert.equal(state.calls, 4);
  });

  it("gives out what it may serve, and takes back what has not ended", async () => {
    const before = setUp();
    const held = await before.cache.fetch(request(), cached);
    before.state.epoch = "2";
    assert.deepEqual(before.cache.stored(), []);
    before.state.epoch = "1";
    const stored = before.cache.stored();
    assert.deepEqual(stored, [{ request: request(), svid: held }]);

    const { cache, state, clock } = setUp();
    cache.restore(stored, "1");
    assert.equal(await cache.fetch(request(), cached), held);
    assert.equal(state.calls, 0);
    await clock.advance(LIFE_MS);
    cache.clear();
    cache.restore(stored, "1");
    assert.equal(cache.size, 0);
  });
});
