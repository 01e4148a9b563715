import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { create } from "@bufbuild/protobuf";
import { type Bundle, BundleSchema } from "../../proto/gen/spire/api/types/bundle_pb.ts";
import { FakeClock } from "../../test/fakes/fake-clock.ts";
import { FakeRandom } from "../../test/fakes/fake-random.ts";
import { cachedEntry, recordFor } from "../../test/support/cached-entries.ts";
import { TestAuthority } from "../../test/support/test-ca.ts";
import type { Delivery } from "../audit/delivery-records.ts";
import { type CacheChange, WorkloadCache } from "./workload-cache.ts";
import type { Subscription, WorkloadCaller, WorkloadView } from "./workload-view.ts";

const root = TestAuthority.root();

const bundle = (trustDomain: string, sequenceNumber = 1n): Bundle =>
  create(BundleSchema, {
    trustDomain,
    sequenceNumber,
    x509Authorities: [{ asn1: root.der }],
  });

const caller = (...values: readonly string[]): WorkloadCaller => ({
  selectors: values.map((value) => ({ type: "unix", value })),
  instance: { uid: 1, process: "1@1" },
});

const callerInProcess = (process: string, value: string): WorkloadCaller => ({
  ...caller(value),
  instance: { uid: 1, process },
});

const nothing = {
  entries: [],
  removedEntryIds: [],
  federationLimits: new Map(),
  bundles: [],
  removedBundles: [],
};

function setUp(maxX509Svids = 100) {
  const clock = new FakeClock();
  const deliveries: Delivery[] = [];
  const cache = new WorkloadCache({
    trustDomain: "td.test",
    clock,
    random: new FakeRandom(),
    maxX509Svids,
    maxJwtSvids: 100,
    issueJwtSvid: async ({ entryId }) => ({
      token: `token of ${entryId}`,
      spiffeId: `spiffe://td.test/${entryId}`,
      hint: "",
      issuedAt: clock.now(),
      expiresAt: new Date(clock.now().getTime() + 300_000),
    }),
    onBinding: () => {},
    onDelivery: (delivery) => deliveries.push(delivery),
  });
  cache.apply({ ...nothing, revision: 1n, bundles: [bundle("td.test")] });
  cache.setStatus({ serving: "ready" });
  let revision = 1n;
  const apply = (change: Partial<CacheChange>): bigint => {
    revision += 1n;
    cache.apply({ ...nothing, ...change, revision });
    return revision;
  };
  const serveAll = (): void => {
    for (
      let orders = cache.svids.takeDue(50);
      orders.length > 0;
      orders = cache.svids.takeDue(50)
    ) {
      for (const order of orders) cache.svids.complete(order, recordFor(order, clock.now()));
    }
  };
  return { clock, cache, deliveries, apply, serveAll };
}

/** Views are put together once per turn of the event loop. */
const settled = () => new Promise((resolve) => setImmediate(resolve));
const pathsOf = ({ identities }: WorkloadView) =>
  identities.map(({ spiffeId }) => spiffeId.slice("spiffe://td.test".length));

async function countViews(subscription: Subscription, during: () => void): Promise<number> {
  const leaving = new AbortController();
  let count = -1;
  const reading = (async () => {
    for await (const _ of subscription.feed.subscribe(leaving.signal)) count += 1;
  })();
  await settled();
  during();
  await settled();
  leaving.abort();
  await reading;
  return count;
}

describe("WorkloadCache", () => {
  it("shows each caller the identities that its selectors grant", async () => {
    const { cache, apply, serveAll } = setUp();
    apply({ entries: [cachedEntry("a", ["uid:1"]), cachedEntry("b", ["uid:2"])] });
    serveAll();
    using one = cache.openX509(caller("uid:1", "gid:1"));
    assert.deepEqual(pathsOf(one.feed.value), ["/a"]);
    assert.equal(one.feed.value.bundle?.trustDomain, "td.test");
  });

  it("wakes the streams that a change concerns, and no others", async () => {
    const { cache, apply, serveAll } = setUp();
    using one = cache.openX509(caller("uid:1"));
    using two = cache.openX509(caller("uid:2"));
    const before = two.feed.value;
    const views = await countViews(one, () => {
      apply({ entries: [cachedEntry("a", ["uid:1"])] });
      serveAll();
    });
    assert.equal(views, 1);
    assert.deepEqual(pathsOf(one.feed.value), ["/a"]);
    assert.equal(two.feed.value, before);
  });

  it("shows a change of many parts as one view", async () => {
    const { cache, apply, serveAll } = setUp();
    apply({ entries: [cachedEntry("a", ["uid:1"]), cachedEntry("b", ["uid:1"])] });
    serveAll();
    using one = cache.openX509(caller("uid:1"));
    const views = await countViews(one, () => {
      apply({
        removedEntryIds: ["a"],
        entries: [cachedEntry("c", ["uid:1"])],
        bundles: [bundle("td.test", 2n)],
      });
      serveAll();
    });
    assert.equal(views, 1);
    assert.deepEqual(pathsOf(one.feed.value), ["/b", "/c"]);
  });

  it("takes an identity away when its entry asks for more than the caller has", async () => {
    const { cache, apply, serveAll } = setUp();
    apply({ entries: [cachedEntry("a", ["uid:1"])] });
    serveAll();
    using one = cache.openX509(caller("uid:1"));
    apply({ entries: [cachedEntry("a", ["uid:1", "gid:9"], { revision: 1n })] });
    await settled();
    assert.deepEqual(pathsOf(one.feed.value), []);
    assert.equal(one.feed.value.entries.length, 0);
  });

  it("keeps the version when only what is on order changes", async () => {
    const { cache, apply } = setUp();
    apply({ entries: [cachedEntry("a", ["uid:1"], { prefetch: false })] });
    using one = cache.openX509(caller("uid:1"));
    const { version, pending } = one.feed.value;
    assert.equal(pending, 1);
    const [order] = cache.svids.takeDue(1);
    assert.ok(order);
    cache.svids.fail(order);
    await settled();
    assert.deepEqual([one.feed.value.version, one.feed.value.pending], [version, 0]);
  });

  it("orders nothing for a stream that only wants entries", () => {
    const { cache, apply } = setUp();
    apply({ entries: [cachedEntry("a", ["uid:1"], { prefetch: false })] });
    using one = cache.openEntries(caller("uid:1"));
    assert.deepEqual(cache.svids.takeDue(10), []);
    assert.deepEqual(
      one.feed.value.entries.map(({ entryId }) => entryId),
      ["a"],
    );
  });

  it("gives federated bundles to those whose entries name them, and tells them of changes", async () => {
    const { cache, apply, serveAll } = setUp();
    apply({
      entries: [cachedEntry("a", ["uid:1"], { federatesWith: ["partner.test", "unknown.test"] })],
      bundles: [bundle("partner.test")],
    });
    serveAll();
    using one = cache.openX509(caller("uid:1"));
    assert.deepEqual([...one.feed.value.federatedBundles.keys()], ["partner.test"]);
    apply({ removedBundles: ["partner.test", "td.test"] });
    await settled();
    assert.equal(one.feed.value.federatedBundles.size, 0);
    assert.ok(one.feed.value.bundle, "the own bundle is never taken away");
  });

  it("serves nothing while it may not, and everything again when it may", async () => {
    const { cache, apply, serveAll } = setUp();
    apply({ entries: [cachedEntry("a", ["uid:1"])] });
    serveAll();
    using one = cache.openX509(caller("uid:1"));
    cache.setStatus({ serving: "offline_too_long" });
    await settled();
    const { serving, identities, entries, bundle: own } = one.feed.value;
    assert.deepEqual([serving, identities, entries, own], ["offline_too_long", [], [], undefined]);
    assert.deepEqual(cache.granted(caller("uid:1")), []);
    cache.setStatus({ serving: "ready" });
    await settled();
    assert.deepEqual(pathsOf(one.feed.value), ["/a"]);
  });

  it("lets entries go when their time is up", async () => {
    const { clock, cache, apply, serveAll } = setUp();
    const expiresAt = BigInt(Math.floor(clock.now().getTime() / 1000) + 60);
    apply({ entries: [cachedEntry("a", ["uid:1"], { expiresAt })] });
    serveAll();
    using one = cache.openX509(caller("uid:1"));
    await clock.advance(59_999);
    assert.equal(cache.removeExpiredEntries(), 0);
    await clock.advance(1);
    assert.equal(cache.removeExpiredEntries(), 1);
    await settled();
    assert.deepEqual(pathsOf(one.feed.value), []);
  });

  it("owes a revision until every stream has written what follows from it", async () => {
    const { cache, apply, serveAll } = setUp();
    const { owedSince } = cache.subscriptions;
    using one = cache.openX509(caller("uid:1"));
    const two = cache.openX509(caller("uid:1"));
    one.delivered(one.feed.value);
    two.delivered(two.feed.value);
    const revision = apply({ entries: [cachedEntry("a", ["uid:1"])] });
    await settled();
    assert.equal(owedSince.value, revision);
    serveAll();
    await settled();
    assert.equal(owedSince.value, revision);
    one.delivered(one.feed.value);
    assert.equal(owedSince.value, revision);
    two[Symbol.dispose]();
    assert.equal(owedSince.value, undefined);
  });

  it("owes nothing for a change that concerns no stream", async () => {
    const { cache, apply } = setUp();
    using one = cache.openX509(caller("uid:1"));
    one.delivered(one.feed.value);
    apply({ entries: [cachedEntry("a", ["uid:2"])] });
    await settled();
    assert.equal(cache.subscriptions.owedSince.value, undefined);
  });

  it("tells of each delivery once a stream", async () => {
    const { cache, deliveries, apply, serveAll } = setUp();
    apply({ entries: [cachedEntry("a", ["uid:1"])] });
    serveAll();
    using one = cache.openX509(caller("uid:1"));
    one.delivered(one.feed.value);
    one.delivered(one.feed.value);
    using two = cache.openX509(caller("uid:1"));
    two.delivered(two.feed.value);
    assert.deepEqual(
      deliveries.map(({ kind, entryId, instance, uid }) => [kind, entryId, instance, uid]),
      [
        ["x509", "a", "uid:1", 1],
        ["x509", "a", "uid:1", 1],
      ],
    );
  });

  it("takes a stream that found no room for its SVID from no other stream when it closes", async () => {
    const { clock, cache, apply, serveAll } = setUp(1);
    apply({
      entries: [
        cachedEntry("a", ["uid:1"], { prefetch: false }),
        cachedEntry("b", ["uid:2"], { prefetch: false }),
      ],
    });
    const full = cache.openX509(callerInProcess("1@1", "uid:2"));
    const without = cache.openX509(callerInProcess("2@1", "uid:1"));
    full[Symbol.dispose]();
    using served = cache.openX509(callerInProcess("3@1", "uid:1"));
    serveAll();
    without[Symbol.dispose]();
    await clock.advance(20 * 60_000);
    assert.equal(cache.svids.takeDue(10).length, 1);
    void served;
  });

  it("takes in an entry that another history of the store gave the same revision", async () => {
    const { cache, apply, serveAll } = setUp();
    apply({ entries: [cachedEntry("a", ["uid:1"])] });
    serveAll();
    using one = cache.openX509(caller("uid:1"));
    apply({ entries: [cachedEntry("a", ["uid:2"])] });
    await settled();
    assert.deepEqual(pathsOf(one.feed.value), []);
  });

  it("tells of kinds of selectors that no entry asked for before, and of no others", () => {
    const { cache, apply } = setUp();
    apply({ entries: [cachedEntry("a", ["uid:1"])] });
    const { value } = cache.selectorKinds;
    apply({ entries: [cachedEntry("b", ["uid:2"])] });
    assert.equal(cache.selectorKinds.value, value);
    apply({ entries: [cachedEntry("c", ["uid:1", "sha256:aa"])] });
    assert.notEqual(cache.selectorKinds.value, value);
  });

  it("forgets callers whose streams have closed", async () => {
    const { cache, apply, serveAll } = setUp();
    apply({ entries: [cachedEntry("a", ["uid:1"], { prefetch: false })] });
    const one = cache.openX509(caller("uid:1"));
    one[Symbol.dispose]();
    one[Symbol.dispose]();
    assert.equal(cache.subscriptions.openCount, 0);
    serveAll();
    assert.equal(cache.svids.size, 0);
  });
});

describe("WorkloadCache.fetchJwtSvid", () => {
  const fetchFor = (cache: WorkloadCache, audience: readonly string[], uid = "uid:1") =>
    cache.fetchJwtSvid({
      caller: caller(uid),
      entryId: "a",
      audience,
      signal: new AbortController().signal,
    });

  it("gives a token for a granted entry, with the entry's hint", async () => {
    const { cache, apply } = setUp();
    apply({ entries: [cachedEntry("a", ["uid:1"], { hint: "internal" })] });
    const svid = await fetchFor(cache, ["db"]);
    assert.deepEqual([svid.token, svid.hint], ["token of a", "internal"]);
  });

  const refusals: readonly { name: string; audience: string[]; uid: string; expected: object }[] = [
    {
      name: "no audience",
      audience: [],
      uid: "uid:1",
      expected: { code: 3, message: "audience: at least one is required" },
    },
    {
      name: "an audience that the entry does not allow",
      audience: ["db", "other"],
      uid: "uid:1",
      expected: { code: 7, reason: "audience_not_allowed" },
    },
    {
      name: "a caller whom the entry is not for",
      audience: ["db"],
      uid: "uid:2",
      expected: { code: 7, message: "no identity issued" },
    },
  ];
  for (const { name, audience, uid, expected } of refusals) {
    it(`refuses ${name}`, async () => {
      const { cache, apply } = setUp();
      apply({ entries: [cachedEntry("a", ["uid:1"], { allowedAudiences: ["db"] })] });
      await assert.rejects(fetchFor(cache, audience, uid), expected);
    });
  }

  it("refuses a token that was signed while its entry went", async () => {
    const { cache, apply } = setUp();
    apply({ entries: [cachedEntry("a", ["uid:1"])] });
    const fetching = fetchFor(cache, ["db"]);
    apply({ removedEntryIds: ["a"] });
    await assert.rejects(fetching, { code: 7, message: "no identity issued" });
  });
});
