import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { create, fromBinary, type MessageInitShape } from "@bufbuild/protobuf";
import { AgentStateSchema } from "../../proto/gen/assay/agent/v1/state_pb.ts";
import {
  Update_Kind as Kind,
  type Update,
  UpdateSchema,
} from "../../proto/gen/assay/sync/v1/sync_pb.ts";
import { type Bundle, BundleSchema } from "../../proto/gen/spire/api/types/bundle_pb.ts";
import { TrustDomain } from "../../spiffe/id/trust-domain.ts";
import { FakeClock } from "../../test/fakes/fake-clock.ts";
import { FakeRandom } from "../../test/fakes/fake-random.ts";
import { RecordingLog } from "../../test/fakes/recording-log.ts";
import { recordFor } from "../../test/support/cached-entries.ts";
import { TestAuthority } from "../../test/support/test-ca.ts";
import { WorkloadCache } from "../cache/workload-cache.ts";
import { IdentityHolder } from "../identity/identity-holder.ts";
import { TrustStore } from "../identity/trust-store.ts";
import { encodeState } from "../state/encode-state.ts";
import { restoreView, storeView } from "./persisted-view.ts";
import { SyncedView } from "./synced-view.ts";
import { UpdateAssembler } from "./update-assembler.ts";

const root = TestAuthority.root();
const own = (tainted = false): Bundle =>
  create(BundleSchema, {
    trustDomain: "td.test",
    x509Authorities: [{ asn1: root.der, tainted }],
    sequenceNumber: tainted ? 2n : 1n,
  });

const entry = (id: string, revisionNumber = 0n, path = `/${id}`) => ({
  entry: {
    id,
    revisionNumber,
    createdAt: 5n,
    spiffeId: { trustDomain: "td.test", path },
    selectors: [{ type: "unix", value: "uid:1" }],
  },
});

type Fields = Exclude<MessageInitShape<typeof UpdateSchema>, Update>;
const update = (kind: Kind, revision: bigint, fields: Fields = {}, incarnation = "i1"): Update =>
  create(UpdateSchema, { kind, cursor: { incarnation, revision }, ...fields });
const snapshot = (revision: bigint, ...ids: readonly string[]): Update =>
  update(Kind.SNAPSHOT, revision, { bundles: [own()], entries: ids.map((id) => entry(id)) });

function setUp() {
  const clock = new FakeClock();
  const recording = new RecordingLog();
  const trustDomain = TrustDomain.parse("td.test");
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
  const trust = new TrustStore(trustDomain);
  const identity = new IdentityHolder({ identity: undefined, verdict: undefined });
  const view = new SyncedView(
    { cache, trust, identity, clock, random: new FakeRandom(), log: recording.log },
    undefined,
  );
  const ids = () => [...cache.entries()].map(({ id }) => id).sort();
  return { clock, cache, trust, view, ids, recording };
}

describe("SyncedView", () => {
  it("takes a snapshot as the whole: what it does not name is gone", () => {
    const { cache, trust, view, ids } = setUp();
    assert.equal(view.isKnown, false);
    view.applyUpdate(snapshot(5n, "a", "b"));
    assert.deepEqual([ids(), view.isKnown, trust.isKnown], [["a", "b"], true, true]);
    const { hasRemovals, point } = view.applyUpdate(snapshot(6n, "b", "c"));
    assert.deepEqual([ids(), hasRemovals, point.cursor?.revision], [["b", "c"], true, 6n]);
    assert.equal(cache.status.value.revision, 6n);
  });

  it("applies differences one after the other", () => {
    const { view, ids } = setUp();
    view.applyUpdate(snapshot(5n, "a"));
    const added = view.applyUpdate(update(Kind.DIFFERENCE, 6n, { entries: [entry("b")] }));
    assert.deepEqual([ids(), added.hasRemovals], [["a", "b"], false]);
    const removed = view.applyUpdate(update(Kind.DIFFERENCE, 7n, { removedEntryIds: ["a"] }));
    assert.deepEqual([ids(), removed.hasRemovals], [["b"], true]);
  });

  it("compares an inventory, drops what is not listed at once, and asks for what it lacks", () => {
    const { view, ids } = setUp();
    view.applyUpdate(snapshot(5n, "a", "b", "c"));
    const listed = [
      { id: "a", revisionNumber: 0n, createdAt: 5n },
      { id: "b", revisionNumber: 1n, createdAt: 5n },
      { id: "d", revisionNumber: 0n, createdAt: 5n },
    ];
    const compared = view.applyUpdate(
      update(Kind.INVENTORY, 9n, { bundles: [own()], inventory: listed }),
    );
    assert.deepEqual(compared.wanted, ["b", "d"]);
    assert.equal(compared.point.cursor?.revision, 5n, "not there yet");
    assert.deepEqual(ids(), ["a", "b"]);
    view.applyUpdate(update(Kind.ENTRIES, 9n, { entries: [entry("b", 1n)] }));
    assert.equal(view.point.cursor?.revision, 5n, "an answer may come in parts");
    const { point } = view.applyUpdate(update(Kind.ENTRIES, 9n, { removedEntryIds: ["d"] }));
    assert.deepEqual([ids(), point.cursor?.revision], [["a", "b"], 9n]);
  });

  it("keeps limits beside their bundle, over a restart too, and admits nothing by limits it cannot read", () => {
    const { cache, view, recording } = setUp();
    const bundles = ["good.test", "odd.test", "free.test"].map((trustDomain) =>
      create(BundleSchema, { trustDomain }),
    );
    const federationLimits = [
      { trustDomain: "good.test", idPatterns: ["/a"], audiences: ["x"], endsAt: 4_000_000_000n },
      { trustDomain: "odd.test", any: true, audiences: ["x"] },
    ];
    view.applyUpdate(update(Kind.SNAPSHOT, 5n, { bundles: [own(), ...bundles], federationLimits }));
    const admits = (of: WorkloadCache, name: string) => {
      const limits = of.bundles.get(name)?.limits;
      return [limits?.isAny, limits?.admitsAudience("x")];
    };
    const later = setUp();
    const encoded = Buffer.concat([...encodeState(storeView(cache, view.point))]);
    const state = fromBinary(AgentStateSchema, encoded);
    const { trustDomain } = later.trust;
    restoreView(state, { cache: later.cache, trustDomain, log: later.recording.log });
    for (const each of [cache, later.cache]) {
      assert.deepEqual(admits(each, "good.test"), [false, true]);
      assert.deepEqual(admits(each, "odd.test"), [false, false]);
      assert.deepEqual(admits(each, "free.test"), [true, true]);
    }
    assert.equal(recording.messages("error").length, 1);
    const changed = { ...federationLimits[0], audiences: ["y"] };
    const { hasRemovals } = view.applyUpdate(
      update(Kind.DIFFERENCE, 6n, {
        bundles: bundles.slice(0, 1),
        federationLimits: [changed],
      }),
    );
    assert.equal(hasRemovals, true);
    assert.deepEqual(admits(cache, "good.test"), [false, false]);
  });

  it("forgets bundles that an inventory does not name, and never its own", () => {
    const { cache, view } = setUp();
    const partner = create(BundleSchema, { trustDomain: "partner.test" });
    view.applyUpdate(update(Kind.SNAPSHOT, 5n, { bundles: [own(), partner] }));
    view.applyUpdate(update(Kind.INVENTORY, 9n, { bundles: [] }));
    assert.deepEqual(
      [...cache.bundles.values()].map(({ trustDomain }) => trustDomain),
      ["td.test"],
    );
  });

  it("believes a difference that comes between an inventory and its entries", () => {
    const { cache, view, ids } = setUp();
    view.applyUpdate(snapshot(5n));
    const listed = ["a", "b"].map((id) => ({ id, revisionNumber: 0n, createdAt: 5n }));
    view.applyUpdate(update(Kind.INVENTORY, 9n, { bundles: [own()], inventory: listed }));
    view.applyUpdate(
      update(Kind.DIFFERENCE, 10n, { entries: [entry("a", 3n)], removedEntryIds: ["b"] }),
    );
    assert.equal(view.point.cursor?.revision, 10n);
    assert.deepEqual(ids(), ["a"]);
    assert.throws(
      () => view.applyUpdate(update(Kind.ENTRIES, 10n, { entries: [entry("a", 0n), entry("b")] })),
      { message: "sync: entries came that were not asked for" },
    );
    assert.equal(cache.entry("a")?.revision, 3n);
  });

  it("refuses a difference that leads back, and follows a whole set that does", () => {
    const { view, ids, recording } = setUp();
    view.applyUpdate(snapshot(5n, "a"));
    assert.throws(() => view.applyUpdate(update(Kind.DIFFERENCE, 4n)), {
      message: "sync: the server is behind what this agent has already seen",
    });
    view.applyUpdate(update(Kind.DIFFERENCE, 1n, {}, "i2"));
    view.applyUpdate(update(Kind.DIFFERENCE, 4n, {}, "i2"));
    view.applyUpdate(update(Kind.SNAPSHOT, 3n, { bundles: [own()] }, "i2"));
    assert.deepEqual([ids(), view.point.cursor?.revision], [[], 3n]);
    assert.deepEqual(recording.messages("warn"), ["Server has gone back in its history"]);
  });

  it("leaves out an entry that makes no sense, and takes the others", () => {
    const { view, ids, recording } = setUp();
    const foreign = entry("x");
    foreign.entry.spiffeId.trustDomain = "other.test";
    view.applyUpdate(
      update(Kind.SNAPSHOT, 5n, {
        bundles: [own()],
        entries: [entry("a"), foreign, entry("y", 0n, "no slash"), {}],
      }),
    );
    assert.deepEqual(ids(), ["a"]);
    assert.equal(recording.messages("error").length, 3);
  });

  it("drops revoked SVIDs, and no others", () => {
    const { clock, cache, view } = setUp();
    view.applyUpdate(snapshot(5n, "a", "b"));
    const serials = new Map<string, string>();
    for (const order of cache.svids.takeDue(10)) {
      const record = recordFor(order, clock.now());
      serials.set(order.entry.id, record.serialNumber);
      cache.svids.complete(order, record);
    }
    const credential = serials.get("a") ?? "";
    const { hasRemovals } = view.applyUpdate(
      update(Kind.DIFFERENCE, 6n, {
        revocations: [{ credential, epoch: 2n }],
        revocationEpoch: 2n,
      }),
    );
    assert.deepEqual([cache.svids.size, hasRemovals, view.point.revocationEpoch], [1, true, 2n]);
    const before = BigInt(Math.floor(clock.now().getTime() / 1000)) + 1n;
    view.applyUpdate(
      update(Kind.DIFFERENCE, 7n, {
        revocations: [{ spiffeId: "spiffe://td.test/b", issuedBefore: before }],
      }),
    );
    assert.equal(cache.svids.size, 0);
    assert.equal(view.point.revocationEpoch, 2n, "an epoch never goes back");
  });

  it("says that it is behind while entries are missing, and up to date when they are here", () => {
    const { cache, view } = setUp();
    view.applyUpdate(snapshot(5n));
    const listed = [{ id: "a", revisionNumber: 0n, createdAt: 5n }];
    view.applyUpdate(update(Kind.INVENTORY, 9n, { bundles: [own()], inventory: listed }));
    view.confirm(9n);
    assert.deepEqual([cache.status.value.revision, cache.status.value.serverRevision], [5n, 9n]);
    view.applyUpdate(update(Kind.ENTRIES, 9n, { entries: [entry("a")] }));
    view.confirm(12n);
    assert.deepEqual([cache.status.value.revision, cache.status.value.serverRevision], [12n, 12n]);
  });

  it("begins anew after it was reset, but keeps its revocation epoch", () => {
    const { view } = setUp();
    view.applyUpdate(update(Kind.SNAPSHOT, 5n, { bundles: [own()], revocationEpoch: 7n }));
    view.reset();
    assert.deepEqual(
      [view.isKnown, view.point.cursor, view.point.revocationEpoch],
      [false, undefined, 7n],
    );
  });

  it("refuses an own bundle that would lock it out", () => {
    const { view } = setUp();
    const empty = create(BundleSchema, { trustDomain: "td.test" });
    assert.throws(() => view.applyUpdate(update(Kind.SNAPSHOT, 5n, { bundles: [empty] })), {
      message: "bundle: it has no X.509 authority",
    });
    assert.equal(view.isKnown, false);
  });
});

describe("UpdateAssembler", () => {
  it("gives nothing until the last part is here", () => {
    const assembler = new UpdateAssembler();
    assert.equal(
      assembler.add(update(Kind.SNAPSHOT, 5n, { more: true, entries: [entry("a")] })),
      undefined,
    );
    const whole = assembler.add(update(Kind.SNAPSHOT, 6n, { entries: [entry("b")] }));
    assert.deepEqual(
      [whole?.entries.map((each) => each.entry?.id), whole?.cursor?.revision],
      [["a", "b"], 6n],
    );
    assert.equal(assembler.add(update(Kind.DIFFERENCE, 7n))?.entries.length, 0);
  });

  it("refuses parts that do not belong together", () => {
    const assembler = new UpdateAssembler();
    assembler.add(update(Kind.SNAPSHOT, 5n, { more: true }));
    assert.throws(() => assembler.add(update(Kind.DIFFERENCE, 5n)), {
      message: "sync: the update changed its kind halfway",
    });
  });
});
