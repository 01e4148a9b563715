import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { create } from "@bufbuild/protobuf";
import { BundleSchema } from "../../../proto/gen/spire/api/types/bundle_pb.ts";
import type { CallContext } from "../../../runtime/rpc/call-context.ts";
import { FederationLimits } from "../../../spiffe/bundle/federation-limits.ts";
import { IdPattern } from "../../../spiffe/id/id-pattern.ts";
import { FakeClock } from "../../../test/fakes/fake-clock.ts";
import { FakeWorkloadViews } from "../../../test/fakes/fake-workload-views.ts";
import { RecordingLog } from "../../../test/fakes/recording-log.ts";
import { selfFacts } from "../../../test/support/self-facts.ts";
import { CachedBundle } from "../../cache/bundle-cache.ts";
import { Refusals } from "../refusals.ts";
import type { WorkloadPeer } from "../workload-peer.ts";
import { DelegatedIdentityApi } from "./delegated-identity.ts";

const bundleOf = (trustDomain: string, limits?: FederationLimits): CachedBundle =>
  new CachedBundle(create(BundleSchema, { trustDomain }), limits);
const payments = new FederationLimits({
  idPatterns: [IdPattern.parse("/payments/*")],
  audiences: ["billing"],
});

function setUp() {
  const clock = new FakeClock();
  const views = new FakeWorkloadViews();
  const refusals = new Refusals(clock);
  const api = new DelegatedIdentityApi({
    views,
    delegates: new Set(["spiffe://td.test/proxy"]),
    attest: async () => ({
      facts: selfFacts(),
      instance: { uid: 1, process: "1@1" },
      selectors: [{ type: "unix", value: "uid:1" }],
      undecided: [],
    }),
    isPresent: () => true,
    refusals,
    clock,
    waitForIdentityMs: 0,
  });
  const over = new AbortController();
  const call: CallContext<WorkloadPeer> = {
    method: "/spire.api.agent.delegatedidentity.v1.DelegatedIdentity/SubscribeToX509Bundles",
    caller: { credentials: { pid: 1, uid: 1, gid: 1 }, limitKey: "1 /" },
    connectionId: "c1",
    signal: over.signal,
    metadata: new Map(),
    log: new RecordingLog().log,
    requestId: "r1",
    setTrailer: () => {},
  };
  const stream = api.subscribeToX509Bundles({}, call);
  const names = async (): Promise<readonly string[]> => {
    const { done, value } = await stream.next();
    return done ? [] : Object.keys(value.caCertificates ?? {});
  };
  return { views, refusals, over, names };
}

describe("bundles for delegates", () => {
  it("are all but those with limits, unless the delegate's own entry lifts them", async () => {
    const { views, names, over } = setUp();
    views.grant("/proxy");
    const limited = bundleOf("partner.test", payments);
    views.allBundles.set([bundleOf("td.test"), bundleOf("free.test"), limited]);
    assert.deepEqual(await names(), ["spiffe://td.test", "spiffe://free.test"]);
    const more = names();
    views.set({ federatedBundles: new Map([["partner.test", limited]]) });
    assert.deepEqual(await more, [
      "spiffe://td.test",
      "spiffe://free.test",
      "spiffe://partner.test",
    ]);
    over.abort();
  });

  it("end with the identity that makes a delegate", async () => {
    const { views, refusals, names } = setUp();
    views.grant("/proxy");
    views.allBundles.set([bundleOf("td.test")]);
    await names();
    const ended = names();
    views.grant("/other");
    await assert.rejects(ended, { code: 7, reason: "not_delegate" });
    assert.equal(refusals.latest(1)[0]?.reason, "not_delegate");
  });
});
