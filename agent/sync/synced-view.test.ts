import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import {
  CursorSchema,
  Update_Kind as Kind,
  type Update,
  UpdateSchema,
} from "../../proto/gen/assay/sync/v1/sync_pb.ts";
import type { Bundle } from "../../proto/gen/spire/api/types/bundle_pb.ts";
import { BundleSchema } from "../../proto/gen/spire/api/types/bundle_pb.ts";
import { TrustDomain } from "../../spiffe/id/trust-domain.ts";
import { FakeClock } from "../../test/fakes/fake-clock.ts";
import { FakeRandom } from "../../test/fakes/fake-random.ts";
import { RecordingLog } from "../../test/fakes/recording-log.ts";
import { cachedEntry } from "../../test/support/cached-entries.ts";
import { TestAuthority } from "../../test/support/test-ca.ts";
import { writeEntry } from "../cache/entry-wire.ts";
import { WorkloadCache } from "../cache/workload-cache.ts";
import { TrustStore } from "../identity/trust-store.ts";
import { SyncedView } from "./synced-view.ts";

const NAME = "td.test";

function setUp() {
  const cache = new WorkloadCache({
    trustDomain: NAME,
    clock: new FakeClock(),
    random: new FakeRandom(),
    maxX509Svids: 10,
    maxJwtSvids: 10,
    issueJwtSvid: () => Promise.reject(new Error("no server")),
    onBinding: () => {},
    onDelivery: () => {},
  });
  const trust = new TrustStore(TrustDomain.parse(NAME));
  const view = new SyncedView({ cache, trust, log: new RecordingLog().log }, undefined);
  return { cache, view };
}

const bundle = (...authorities: readonly TestAuthority[]): Bundle =>
  create(BundleSchema, {
    trustDomain: NAME,
    sequenceNumber: BigInt(authorities.length),
    x509Authorities: authorities.map(({ certificate }) => ({ asn1: certificate.der })),
  });

const update = (
  revision: bigint,
  change: MessageInitShape<typeof UpdateSchema>,
  incarnation = "first",
): Update =>
  create(UpdateSchema, {
    kind: Kind.DIFFERENCE,
    cursor: create(CursorSchema, { incarnation, revision }),
    ...change,
  });

const entry = (id: string, selector: string, revision = 0n) =>
  writeEntry(cachedEntry(id, [selector], { revision }));

describe("SyncedView", () => {
  it("says that an addition takes nothing away", () => {
    const { view } = setUp();
    const root = TestAuthority.root();
    view.applyUpdate(update(1n, { kind: Kind.SNAPSHOT, bundles: [bundle(root)] }));
    const added = view.applyUpdate(
      update(2n, { entries: [entry("a", "uid:1")], bundles: [bundle(root)] }),
    );
    assert.equal(added.hasRemovals, false);
    const again = view.applyUpdate(update(3n, { entries: [entry("a", "uid:1")] }));
    assert.equal(again.hasRemovals, false);
  });

  it("says that an entry which replaces another may take something away", () => {
    const { view } = setUp();
    view.applyUpdate(update(1n, { kind: Kind.SNAPSHOT, entries: [entry("a", "uid:1")] }));
    const changed = view.applyUpdate(update(2n, { entries: [entry("a", "uid:2", 1n)] }));
    assert.equal(changed.hasRemovals, true);
  });

  it("says that a bundle which replaces another may take something away", () => {
    const { view } = setUp();
    const [old, next] = [TestAuthority.root(), TestAuthority.root()];
    view.applyUpdate(update(1n, { kind: Kind.SNAPSHOT, bundles: [bundle(old, next)] }));
    const changed = view.applyUpdate(update(2n, { bundles: [bundle(next)] }));
    assert.equal(changed.hasRemovals, true);
  });

  const inventory = (incarnation: string): Update =>
    update(
      2n,
      {
        kind: Kind.INVENTORY,
        inventory: [{ id: "a", revisionNumber: 3n, createdAt: 1_700_000_000n }],
      },
      incarnation,
    );

  it("keeps what an inventory lists with the revision that it holds", () => {
    const { view } = setUp();
    view.applyUpdate(update(1n, { kind: Kind.SNAPSHOT, entries: [entry("a", "uid:1", 3n)] }));
    assert.deepEqual(view.applyUpdate(inventory("first")).wanted, []);
  });

  it("asks for every entry when the store has another history", () => {
    const { view } = setUp();
    view.applyUpdate(update(1n, { kind: Kind.SNAPSHOT, entries: [entry("a", "uid:1", 3n)] }));
    assert.deepEqual(view.applyUpdate(inventory("second")).wanted, ["a"]);
  });

  it("is not behind a server without revisions, whatever an earlier one said", () => {
    const { cache, view } = setUp();
    view.applyUpdate(update(7n, { kind: Kind.SNAPSHOT }));
    view.confirm(9n);
    view.apply({
      point: { ...view.point, cursor: undefined },
      entries: [],
      removedEntryIds: [],
      bundles: [],
      removedBundles: [],
      revocations: [],
    });
    const { revision, serverRevision } = cache.status.value;
    assert.deepEqual([revision, serverRevision], [0n, 0n]);
  });
});
