import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { FakeClock } from "../../test/fakes/fake-clock.ts";
import { FakeRandom } from "../../test/fakes/fake-random.ts";
import { cachedEntry, recordFor } from "../../test/support/cached-entries.ts";
import type { CredentialBinding } from "./credential-binding.ts";
import { X509SvidCache } from "./x509-svid-cache.ts";
import type { X509SvidOrder } from "./x509-svid-orders.ts";

const MINUTE = 60_000;
const SPARE_PAUSE_MS = 50;

function setUp(maxSvids = 100) {
  const clock = new FakeClock();
  const bindings: CredentialBinding[] = [];
  const changed: string[] = [];
  const cache = new X509SvidCache({
    clock,
    random: new FakeRandom(),
    maxSvids,
    onChange: (entryId) => changed.push(entryId),
    onDue: () => {},
    onBinding: (binding) => bindings.push(binding),
  });
  /** Answers everything that is due, most urgent first; returns whom it was for. */
  const serveAll = (): (string | undefined)[] => {
    const served: (string | undefined)[] = [];
    for (let orders = cache.takeDue(10); orders.length > 0; orders = cache.takeDue(10)) {
      for (const order of orders) {
        served.push(order.instance);
        cache.complete(order, recordFor(order, clock.now()));
      }
    }
    return served;
  };
  return { clock, cache, bindings, changed, serveAll };
}

const only = (orders: readonly X509SvidOrder[]): X509SvidOrder => {
  const [order] = orders;
  assert.ok(order !== undefined && orders.length === 1);
  return order;
};

describe("X509SvidCache", () => {
  it("orders a spare for an entry before anyone asks", () => {
    const { cache, serveAll } = setUp();
    cache.putEntry(cachedEntry("a", ["uid:1"]));
    assert.deepEqual(serveAll(), [undefined]);
    assert.equal(cache.size, 1);
  });

  it("orders none for an entry that is not to be prefetched", () => {
    const { cache } = setUp();
    cache.putEntry(cachedEntry("a", ["uid:1"], { prefetch: false }));
    assert.deepEqual(cache.takeDue(10), []);
  });

  it("gives the spare to the first instance, orders another a little later, and says who holds what", async () => {
    const { clock, cache, bindings, serveAll } = setUp();
    const entry = cachedEntry("a", ["uid:1"]);
    cache.putEntry(entry);
    serveAll();
    cache.use(entry, "pod:1", "/bin/web");
    const held = cache.current("a", "pod:1");
    assert.ok(held);
    assert.deepEqual(
      bindings.map(({ credential, instance, executable }) => [credential, instance, executable]),
      [[held.serialNumber, "pod:1", "/bin/web"]],
    );
    assert.deepEqual(serveAll(), []);
    await clock.advance(SPARE_PAUSE_MS);
    assert.deepEqual(serveAll(), [undefined]);
    cache.use(entry, "pod:2", undefined);
    const other = cache.current("a", "pod:2");
    assert.ok(other);
    assert.notEqual(other.privateKeyPkcs8, held.privateKeyPkcs8);
  });

  it("orders the spare a little after what an open stream waits for, of a changed entry too", async () => {
    const { clock, cache, serveAll } = setUp();
    const entry = cachedEntry("a", ["uid:1"]);
    cache.putEntry(entry);
    cache.use(entry, "pod:1", undefined);
    for (const revision of [entry.revision, entry.revision + 1n]) {
      cache.putEntry({ ...entry, revision });
      assert.deepEqual(serveAll(), ["pod:1"]);
      await clock.advance(SPARE_PAUSE_MS);
      assert.deepEqual(serveAll(), [undefined]);
    }
  });

  it("gives one key to all instances of a shared entry, and to no others", () => {
    const { cache, serveAll } = setUp();
    const entry = cachedEntry("a", ["uid:1"], { instanceScope: "shared" });
    cache.putEntry(entry);
    assert.deepEqual(serveAll(), ["shared"]);
    cache.use(entry, "shared", undefined);
    cache.use(entry, "shared", undefined);
    assert.deepEqual(cache.takeDue(10), []);
    assert.ok(cache.current("a", "shared"));
  });

  it("serves who waits before renewals, and renewals before spares", async () => {
    const { clock, cache, serveAll } = setUp();
    const a = cachedEntry("a", ["uid:1"]);
    cache.putEntry(a);
    cache.use(a, "uid:1", undefined);
    serveAll();
    await clock.advance(25 * MINUTE);
    const b = cachedEntry("b", ["uid:2"], { prefetch: false });
    cache.putEntry(b);
    cache.use(b, "uid:2", undefined);
    const byUrgency = [1, 2, 3].map(() => only(cache.takeDue(1)));
    assert.deepEqual(
      byUrgency.map(({ entry, instance }) => [entry.id, instance]),
      [
        ["b", "uid:2"],
        ["a", "uid:1"],
        ["a", undefined],
      ],
    );
  });

  it("does not renew without end on a machine whose clock is ahead of the server's", async () => {
    const { clock, cache } = setUp();
    const entry = cachedEntry("a", ["uid:1"], { prefetch: false });
    cache.putEntry(entry);
    cache.use(entry, "pod:1", undefined);
    for (const aheadMinutes of [25, 40, 55]) {
      const serverNow = new Date(clock.now().getTime() - aheadMinutes * MINUTE);
      cache.complete(only(cache.takeDue(1)), recordFor({ entry, instance: "pod:1" }, serverNow));
      const leftMs = (60 - aheadMinutes) * MINUTE;
      await clock.advance(Math.min(20 * MINUTE, leftMs) / 2 - 1);
      assert.deepEqual(cache.takeDue(1), []);
      await clock.advance(1);
    }
    assert.equal(cache.takeDue(1).length, 1);
  });

  it("renews in time on a machine whose clock is behind the server's", async () => {
    const { clock, cache } = setUp();
    const entry = cachedEntry("a", ["uid:1"], { prefetch: false });
    cache.putEntry(entry);
    cache.use(entry, "pod:1", undefined);
    const serverNow = new Date(clock.now().getTime() + 50 * MINUTE);
    cache.complete(only(cache.takeDue(1)), recordFor({ entry, instance: "pod:1" }, serverNow));
    await clock.advance(20 * MINUTE);
    assert.equal(cache.takeDue(1).length, 1);
  });

  it("throws away what was on order when something was revoked, and orders it anew", () => {
    const { clock, cache } = setUp();
    const entry = cachedEntry("a", ["uid:1"], { prefetch: false });
    cache.putEntry(entry);
    cache.use(entry, "pod:1", undefined);
    const before = only(cache.takeDue(1));
    cache.revoke(() => false);
    const after = only(cache.takeDue(1));
    cache.complete(before, recordFor(before, clock.now()));
    assert.equal(cache.current("a", "pod:1"), undefined);
    cache.complete(after, recordFor(after, clock.now()));
    assert.ok(cache.current("a", "pod:1"));
  });

  it("renews at the instant that was drawn, and not when the wall clock jumps", async () => {
    const { clock, cache, serveAll } = setUp();
    const entry = cachedEntry("a", ["uid:1"], { prefetch: false });
    cache.putEntry(entry);
    cache.use(entry, "uid:1", undefined);
    serveAll();
    clock.jump(30 * MINUTE);
    assert.deepEqual(cache.takeDue(10), []);
    clock.jump(-30 * MINUTE);
    await clock.advance(20 * MINUTE - 1);
    assert.deepEqual(cache.takeDue(10), []);
    assert.equal(cache.nextDueAtMs(), clock.monotonicMs() + 1);
    await clock.advance(1);
    assert.equal(only(cache.takeDue(10)).instance, "uid:1");
  });

  it("renews in one call what falls due within a quarter of a second", async () => {
    const { clock, cache, serveAll } = setUp();
    for (const [uid, waitMs] of [
      [1, 1],
      [2, 200],
      [3, 100],
    ] as const) {
      await clock.advance(waitMs);
      const entry = cachedEntry(`e${uid}`, [`uid:${uid}`], { prefetch: false });
      cache.putEntry(entry);
      cache.use(entry, `uid:${uid}`, undefined);
      serveAll();
    }
    await clock.advance(20 * MINUTE - 300);
    assert.deepEqual(cache.takeDue(10), []);
    assert.equal(cache.nextDueAtMs(), 20 * MINUTE + 250);
    await clock.advance(249);
    assert.deepEqual(
      cache.takeDue(10).map(({ entry }) => entry.id),
      ["e1", "e2"],
    );
    assert.equal(cache.nextDueAtMs(), 20 * MINUTE + 500);
  });

  it("says of a new SVID whether the one before would have done for longer", async () => {
    const { clock, cache } = setUp();
    const entry = cachedEntry("a", ["uid:1"], { prefetch: false });
    const renew = (): boolean => {
      const order = only(cache.takeDue(1));
      return cache.complete(order, recordFor(order, clock.now()));
    };
    cache.putEntry(entry);
    cache.use(entry, "uid:1", undefined);
    assert.equal(renew(), false, "there was none");
    await clock.advance(20 * MINUTE);
    assert.equal(renew(), true);
    cache.putEntry({ ...entry, revision: 1n });
    assert.equal(renew(), false, "it was for an older revision of the entry");
    cache.setAuthorities({ present: new Set(["aa"]), tainted: new Set(["aa"]) });
    await clock.advance(5_000);
    assert.equal(renew(), false, "its authority is tainted");
    cache.setAuthorities({ present: new Set(["aa"]), tainted: new Set() });
    clock.jump(55 * MINUTE);
    assert.equal(renew(), false, "it was near its end");
  });

  it("renews at once when the machine slept through most of an SVID's life", () => {
    const { clock, cache, serveAll } = setUp();
    const entry = cachedEntry("a", ["uid:1"], { prefetch: false });
    cache.putEntry(entry);
    cache.use(entry, "uid:1", undefined);
    serveAll();
    clock.jump(55 * MINUTE);
    assert.equal(only(cache.takeDue(10)).instance, "uid:1");
  });

  it("serves no SVID past its end, and no key either", async () => {
    const { clock, cache, changed, serveAll } = setUp();
    const entry = cachedEntry("a", ["uid:1"], { prefetch: false });
    cache.putEntry(entry);
    cache.use(entry, "uid:1", undefined);
    serveAll();
    changed.length = 0;
    await clock.advance(60 * MINUTE);
    assert.equal(cache.current("a", "uid:1"), undefined);
    cache.takeDue(10);
    assert.deepEqual(changed, ["a"]);
    assert.deepEqual(cache.stored(), []);
  });

  it("does not renew for an instance whose stream has closed, and keeps what it holds", async () => {
    const { clock, cache, serveAll } = setUp();
    const entry = cachedEntry("a", ["uid:1"], { prefetch: false });
    cache.putEntry(entry);
    cache.use(entry, "uid:1", undefined);
    serveAll();
    cache.release("a", "uid:1");
    await clock.advance(30 * MINUTE);
    assert.deepEqual(cache.takeDue(10), []);
    const held = cache.current("a", "uid:1");
    assert.ok(held);
    cache.use(entry, "uid:1", undefined);
    assert.equal(cache.current("a", "uid:1"), held);
    assert.equal(cache.takeDue(10).length, 1);
  });

  it("orders anew when the entry's revision changes, and serves the old one meanwhile", () => {
    const { cache, serveAll } = setUp();
    const entry = cachedEntry("a", ["uid:1"], { prefetch: false });
    cache.putEntry(entry);
    cache.use(entry, "uid:1", undefined);
    serveAll();
    const held = cache.current("a", "uid:1");
    cache.putEntry({ ...entry, revision: 1n });
    assert.equal(cache.current("a", "uid:1"), held);
    assert.ok(cache.isPending("a", "uid:1"));
    assert.equal(only(cache.takeDue(10)).entry.revision, 1n);
  });

  it("drops what names another SPIFFE ID than the entry does now", () => {
    const { cache, serveAll } = setUp();
    const entry = cachedEntry("a", ["uid:1"], { prefetch: false });
    cache.putEntry(entry);
    cache.use(entry, "uid:1", undefined);
    serveAll();
    cache.putEntry({ ...entry, revision: 1n, spiffeId: "spiffe://td.test/other" });
    assert.equal(cache.current("a", "uid:1"), undefined);
  });

  it("throws away an answer that comes after its entry has gone", () => {
    const { cache, clock, bindings } = setUp();
    const entry = cachedEntry("a", ["uid:1"], { prefetch: false });
    cache.putEntry(entry);
    cache.use(entry, "uid:1", undefined);
    const order = only(cache.takeDue(10));
    cache.removeEntry("a");
    cache.complete(order, recordFor(order, clock.now()));
    assert.equal(cache.size, 0);
    assert.deepEqual(bindings, []);
  });

  it("tries a failed order again after growing pauses, and at once when a server is back", async () => {
    const { clock, cache } = setUp();
    const entry = cachedEntry("a", ["uid:1"], { prefetch: false });
    cache.putEntry(entry);
    cache.use(entry, "uid:1", undefined);
    let waitedMs = 0;
    for (const ceilingMs of [500, 1_000, 2_000]) {
      cache.fail(only(cache.takeDue(10)));
      const dueInMs = cache.nextDueAtMs() - clock.monotonicMs();
      assert.ok(dueInMs >= ceilingMs / 2 && dueInMs <= ceilingMs, `${dueInMs} of ${ceilingMs}`);
      assert.deepEqual(cache.takeDue(10), []);
      await clock.advance(dueInMs);
      waitedMs += dueInMs;
    }
    assert.equal(cache.isPending("a", "uid:1"), false);
    cache.fail(only(cache.takeDue(10)));
    cache.retryNow();
    assert.equal(cache.takeDue(10).length, 1);
    assert.ok(waitedMs < 3_500);
  });

  it("lets the spare help who waits for an order that failed", async () => {
    const { clock, cache } = setUp();
    const entry = cachedEntry("a", ["uid:1"]);
    cache.putEntry(entry);
    cache.use(entry, "uid:1", undefined);
    cache.fail(only(cache.takeDue(10)));
    await clock.advance(SPARE_PAUSE_MS);
    const spare = only(cache.takeDue(10));
    assert.equal(spare.instance, undefined);
    cache.complete(spare, recordFor(spare, clock.now()));
    assert.ok(cache.current("a", "uid:1"));
  });

  it("drops what is revoked, and orders anew for who uses it", () => {
    const { cache, serveAll } = setUp();
    const entry = cachedEntry("a", ["uid:1"], { prefetch: false });
    cache.putEntry(entry);
    cache.use(entry, "uid:1", undefined);
    serveAll();
    cache.revoke(({ entryId }) => entryId === "a");
    assert.equal(cache.current("a", "uid:1"), undefined);
    assert.equal(cache.takeDue(10).length, 1);
  });

  it("replaces what a tainted authority signed, within seconds", async () => {
    const { clock, cache, serveAll } = setUp();
    const entry = cachedEntry("a", ["uid:1"], { prefetch: false });
    cache.putEntry(entry);
    cache.use(entry, "uid:1", undefined);
    serveAll();
    cache.setAuthorities({ present: new Set(["aa", "bb"]), tainted: new Set(["bb"]) });
    await clock.advance(5_000);
    assert.deepEqual(cache.takeDue(10), []);
    cache.setAuthorities({ present: new Set(["aa"]), tainted: new Set(["aa"]) });
    await clock.advance(5_000);
    assert.equal(cache.takeDue(10).length, 1);
    assert.ok(cache.current("a", "uid:1"), "the old one is served until the new one is here");
  });

  it("forgets the longest idle instance for a new one, then spares, and never one in use", () => {
    const { cache, serveAll } = setUp(3);
    const entry = cachedEntry("a", ["uid:1"]);
    cache.putEntry(entry);
    cache.use(entry, "pod:1", undefined);
    cache.use(entry, "pod:2", undefined);
    serveAll();
    cache.release("a", "pod:1");
    assert.ok(cache.use(entry, "pod:3", undefined));
    assert.equal(cache.current("a", "pod:1"), undefined);
    assert.ok(cache.use(entry, "pod:4", undefined));
    assert.equal(cache.use(entry, "pod:5", undefined), false);
    assert.ok(cache.current("a", "pod:2"));
  });

  it("gives back after a restart what is stored, except what has expired or lost its entry", async () => {
    const { clock, cache, serveAll } = setUp();
    const kept = cachedEntry("a", ["uid:1"]);
    const gone = cachedEntry("b", ["uid:2"]);
    for (const entry of [kept, gone]) {
      cache.putEntry(entry);
      cache.use(entry, "uid:1", undefined);
    }
    serveAll();
    await clock.advance(SPARE_PAUSE_MS);
    serveAll();
    const stored = cache.stored();
    assert.equal(stored.length, 4);
    const { cache: restarted } = setUp();
    restarted.putEntry(kept);
    restarted.restore(stored, (id) => (id === "a" ? kept : undefined));
    assert.equal(restarted.size, 2);
    assert.equal(
      restarted.current("a", "uid:1")?.serialNumber,
      cache.current("a", "uid:1")?.serialNumber,
    );
    const late = setUp();
    await late.clock.advance(61 * MINUTE);
    late.cache.restore(stored, () => kept);
    assert.equal(late.cache.size, 0);
  });

  describe("when an authority is tainted or leaves the bundle", () => {
    const both = new Set(["aa", "bb"]);
    const signedBy = (keyId: string) => ({ authorityKeyIds: [keyId] });

    async function withIdleInstance() {
      const made = setUp();
      const { cache, clock } = made;
      const entry = cachedEntry("a", ["uid:1"]);
      cache.putEntry(entry);
      cache.use(entry, "uid:1", undefined);
      made.serveAll();
      await clock.advance(SPARE_PAUSE_MS);
      made.serveAll();
      cache.release("a", "uid:1");
      const serveFrom = (keyId: string): (string | undefined)[] =>
        cache.takeDue(10).map((order) => {
          cache.complete(order, recordFor(order, clock.now(), signedBy(keyId)));
          return order.instance;
        });
      return { ...made, entry, serveFrom };
    }

    it("renews the spare and idle instances too, and serves the old one meanwhile", async () => {
      const { cache, clock, serveFrom } = await withIdleInstance();
      const old = cache.current("a", "uid:1");
      cache.setAuthorities({ present: both, tainted: new Set(["aa"]) });
      assert.equal(cache.current("a", "uid:1"), old);
      await clock.advance(5_000);
      assert.deepEqual(new Set(serveFrom("bb")), new Set([undefined, "uid:1"]));
      assert.deepEqual(cache.current("a", "uid:1")?.authorityKeyIds, ["bb"]);
      await clock.advance(30 * MINUTE);
      assert.deepEqual(serveFrom("bb"), [undefined], "idle ones are left alone again");
    });

    it("hands out nothing whose authority has gone: who asks waits for a new one", async () => {
      const { cache, entry, serveFrom } = await withIdleInstance();
      cache.setAuthorities({ present: new Set(["bb"]), tainted: new Set() });
      assert.equal(cache.size, 0);
      cache.use(entry, "uid:1", undefined);
      assert.deepEqual(
        [cache.current("a", "uid:1"), cache.isPending("a", "uid:1")],
        [undefined, true],
      );
      serveFrom("bb");
      assert.deepEqual(cache.current("a", "uid:1")?.authorityKeyIds, ["bb"]);
    });

    it("takes in none that arrives or is restored from a gone authority", async () => {
      const { cache, entry, serveFrom, clock } = await withIdleInstance();
      const late = recordFor({ entry, instance: "uid:1" }, clock.now());
      cache.setAuthorities({ present: new Set(["bb"]), tainted: new Set() });
      cache.use(entry, "uid:1", undefined);
      serveFrom("aa");
      const stored = [{ record: late, instance: "uid:1", executable: undefined }];
      cache.restore(stored, () => entry);
      assert.equal(cache.size, 0);
    });

    it("drops nothing while the bundle cannot tell which authority is which", async () => {
      const { cache } = await withIdleInstance();
      cache.setAuthorities({ present: undefined, tainted: new Set() });
      assert.equal(cache.size, 2);
    });
  });
});
