import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { fromBinary } from "@bufbuild/protobuf";
import { AgentStateSchema } from "../../proto/gen/assay/agent/v1/state_pb.ts";
import { TrustDomain } from "../../spiffe/id/trust-domain.ts";
import { FakeClock } from "../../test/fakes/fake-clock.ts";
import { FakeRandom } from "../../test/fakes/fake-random.ts";
import { RecordingLog } from "../../test/fakes/recording-log.ts";
import { cachedEntry } from "../../test/support/cached-entries.ts";
import { WorkloadCache } from "../cache/workload-cache.ts";
import { encodeState } from "../state/encode-state.ts";
import { restoreView, storeView } from "./persisted-view.ts";
import { SYNC_START } from "./sync-cursor.ts";

const trustDomain = TrustDomain.parse("td.test");

function emptyCache(): WorkloadCache {
  return new WorkloadCache({
    trustDomain: trustDomain.name,
    clock: new FakeClock(),
    random: new FakeRandom(),
    maxX509Svids: 1_000,
    maxJwtSvids: 1_000,
    issueJwtSvid: () => Promise.reject(new Error("no server")),
    onBinding: () => {},
    onDelivery: () => {},
  });
}

const change = {
  revision: 1n,
  entries: [],
  removedEntryIds: [],
  bundles: [],
  federationLimits: new Map(),
  removedBundles: [],
};

describe("the stored view", () => {
  it("is that of the call, however much later its parts are asked for", () => {
    const cache = emptyCache();
    const ids = Array.from({ length: 120 }, (_, i) => `e${i}`);
    cache.apply({ ...change, entries: ids.map((id) => cachedEntry(id, ["uid:1"])) });
    const point = { ...SYNC_START, cursor: { incarnation: "one", revision: 1n } };
    const pieces: Uint8Array[] = [];
    for (const piece of encodeState(storeView(cache, point))) {
      if (pieces.length === 1) {
        const entries = [cachedEntry("late", ["uid:1"])];
        cache.apply({ ...change, entries, removedEntryIds: ids });
      }
      pieces.push(piece);
    }
    assert.ok(pieces.length > 3);
    const restored = emptyCache();
    const state = fromBinary(AgentStateSchema, Buffer.concat(pieces));
    const { log } = new RecordingLog();
    assert.deepEqual(restoreView(state, { cache: restored, trustDomain, log }), point);
    assert.deepEqual(
      [...restored.entries()].map(({ id }) => id),
      ids,
    );
  });
});
