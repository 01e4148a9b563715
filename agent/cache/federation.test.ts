import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { create } from "@bufbuild/protobuf";
import { type Bundle, BundleSchema } from "../../proto/gen/spire/api/types/bundle_pb.ts";
import { FederationLimits } from "../../spiffe/bundle/federation-limits.ts";
import { IdPattern } from "../../spiffe/id/id-pattern.ts";
import { FakeClock } from "../../test/fakes/fake-clock.ts";
import { FakeRandom } from "../../test/fakes/fake-random.ts";
import { RecordingLog } from "../../test/fakes/recording-log.ts";
import { cachedEntry } from "../../test/support/cached-entries.ts";
import { runFederationEnds } from "../sync/federation-ends.ts";
import { type CacheChange, WorkloadCache } from "./workload-cache.ts";
import type { WorkloadView } from "./workload-view.ts";

const bundleOf = (trustDomain: string): Bundle => create(BundleSchema, { trustDomain });
const payments = new FederationLimits({
  idPatterns: [IdPattern.parse("/payments/*")],
  audiences: ["billing"],
});

function setUp() {
  const clock = new FakeClock();
  const cache = new WorkloadCache({
    trustDomain: "td.test",
    clock,
    random: new FakeRandom(),
    maxX509Svids: 10,
    maxJwtSvids: 10,
    issueJwtSvid: () => Promise.reject(new Error("not here")),
    onBinding: () => {},
    onDelivery: () => {},
  });
  cache.setStatus({ serving: "ready" });
  const apply = (change: Partial<CacheChange>): void =>
    cache.apply({
      revision: 1n,
      entries: [],
      removedEntryIds: [],
      bundles: [],
      federationLimits: new Map(),
      removedBundles: [],
      ...change,
    });
  apply({ bundles: [bundleOf("td.test")] });
  const open = () =>
    cache.openEntries({
      selectors: [{ type: "unix", value: "uid:1" }],
      instance: { uid: 1, process: "1@1" },
    });
  return { clock, cache, apply, open };
}

const settled = () => new Promise((resolve) => setImmediate(resolve));
const names = ({ federatedBundles, limitedBundles }: WorkloadView) => ({
  raw: [...federatedBundles.keys()],
  limited: [...limitedBundles.keys()],
});

describe("foreign bundles in the cache", () => {
  it("are kept apart by whether they may be handed out without their limits", () => {
    const { apply, open } = setUp();
    const federatesWith = ["free.test", "partner.test", "td.test", "unknown.test"];
    apply({
      entries: [cachedEntry("a", ["uid:1"], { federatesWith })],
      bundles: [bundleOf("free.test"), bundleOf("partner.test"), bundleOf("other.test")],
      federationLimits: new Map([["partner.test", payments]]),
    });
    using one = open();
    assert.deepEqual(names(one.feed.value), { raw: ["free.test"], limited: ["partner.test"] });
    assert.equal(one.feed.value.limitedBundles.get("partner.test")?.limits, payments);
  });

  it("are handed out by themselves when an entry says so, and keep their limits", () => {
    const { apply, open } = setUp();
    const federatesWith = ["partner.test"];
    apply({
      entries: [
        cachedEntry("a", ["uid:1"], { federatesWith, unrestrictedFederation: federatesWith }),
      ],
      bundles: [bundleOf("partner.test")],
      federationLimits: new Map([["partner.test", payments]]),
    });
    using one = open();
    assert.deepEqual(names(one.feed.value), { raw: ["partner.test"], limited: [] });
    assert.equal(one.feed.value.federatedBundles.get("partner.test")?.limits, payments);
  });

  it("reach open streams anew when only their limits change", async () => {
    const { apply, open } = setUp();
    const entries = [cachedEntry("a", ["uid:1"], { federatesWith: ["partner.test"] })];
    apply({ entries, bundles: [bundleOf("partner.test")] });
    using one = open();
    assert.deepEqual(names(one.feed.value), { raw: ["partner.test"], limited: [] });
    apply({
      bundles: [bundleOf("partner.test")],
      federationLimits: new Map([["partner.test", payments]]),
    });
    await settled();
    assert.deepEqual(names(one.feed.value), { raw: [], limited: ["partner.test"] });
  });

  it("go at the moment their relationship ends, without a word from the server", async () => {
    const { clock, cache, apply, open } = setUp();
    const end = new AbortController();
    let changes = 0;
    const changed = (): void => {
      changes += 1;
    };
    const { log } = new RecordingLog();
    const running = runFederationEnds({ cache, changed, clock, log }, end.signal);
    const endsAt = new Date(clock.now().getTime() + 200_000);
    apply({
      entries: [cachedEntry("a", ["uid:1"], { federatesWith: ["partner.test"] })],
      bundles: [bundleOf("partner.test")],
      federationLimits: new Map([["partner.test", new FederationLimits({ any: true, endsAt })]]),
    });
    using one = open();
    await clock.advance(199_999);
    assert.deepEqual(names(one.feed.value).raw, ["partner.test"]);
    await clock.advance(1);
    await settled();
    assert.deepEqual([names(one.feed.value).raw, changes], [[], 1]);
    assert.equal(cache.bundles.get("partner.test"), undefined);
    end.abort();
    await running;
  });

  it("are not taken when their relationship has ended already", () => {
    const { clock, cache, apply } = setUp();
    const ended = new FederationLimits({ any: true, endsAt: clock.now() });
    apply({
      bundles: [bundleOf("partner.test")],
      federationLimits: new Map([["partner.test", ended]]),
    });
    assert.equal(cache.bundles.get("partner.test"), undefined);
  });
});
