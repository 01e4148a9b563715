import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { create } from "@bufbuild/protobuf";
import { WITSVIDRequestSchema } from "../../proto/gen/spiffe/workload/workload_pb.ts";
import { permissionDenied, unavailable } from "../../runtime/errors/status-error.ts";
import type { CallContext } from "../../runtime/rpc/call-context.ts";
import { FakeClock } from "../../test/fakes/fake-clock.ts";
import { FakeWorkloadViews } from "../../test/fakes/fake-workload-views.ts";
import { RecordingLog } from "../../test/fakes/recording-log.ts";
import { selfFacts } from "../../test/support/self-facts.ts";
import type { WitSvid } from "../cache/token-cache.ts";
import { Refusals } from "./refusals.ts";
import { WorkloadApi } from "./workload-api.ts";
import type { WorkloadPeer } from "./workload-peer.ts";

const lifeMs = 3_600_000;

function setUp(spiffeId = "") {
  const clock = new FakeClock();
  const views = new FakeWorkloadViews();
  let made = 0;
  const issue = async (id: string): Promise<WitSvid> => {
    made += 1;
    const issuedAt = clock.now();
    return {
      token: `${id} ${made}`,
      privateJwk: `key ${made}`,
      spiffeId: id,
      hint: "",
      issuedAt,
      expiresAt: new Date(issuedAt.getTime() + lifeMs),
      // Draws no delay beyond half of the life.
      jti: Buffer.from([0, made]).toString("base64url"),
    };
  };
  views.witSvid = issue;
  const api = new WorkloadApi({
    views,
    attest: async () => ({
      facts: selfFacts(),
      instance: { uid: 1, process: "1@1" },
      selectors: [{ type: "unix", value: "uid:1" }],
      undecided: [],
    }),
    isPresent: () => true,
    refusals: new Refusals(clock),
    clock,
    waitForIdentityMs: 0,
  });
  const over = new AbortController();
  const call: CallContext<WorkloadPeer> = {
    method: "/SpiffeWorkloadAPI/FetchWITSVID",
    caller: { credentials: { pid: 1, uid: 1, gid: 1 }, limitKey: "1 /" },
    connectionId: "c1",
    signal: over.signal,
    metadata: new Map(),
    log: new RecordingLog().log,
    requestId: "r1",
    setTrailer: () => {},
  };
  const stream = api.fetchWITSVID(create(WITSVIDRequestSchema, { spiffeId }), call);
  const next = async (): Promise<readonly (string | undefined)[]> => {
    const { done, value } = await stream.next();
    return done ? [] : (value.svids ?? []).map(({ witSvid }) => witSvid);
  };
  return { clock, views, issue, over, stream, next };
}

describe("FetchWITSVID", () => {
  it("is not offered unless it is switched on", async () => {
    const { views, next } = setUp();
    views.witSvid = undefined;
    await assert.rejects(next(), { code: 12, reason: "disabled" });
  });

  it("gives every identity, or the one that is asked for", async () => {
    const all = setUp();
    all.views.grant("/a", "/b");
    assert.deepEqual(await all.next(), ["spiffe://td.test/a 1", "spiffe://td.test/b 2"]);
    const one = setUp("spiffe://td.test/b");
    one.views.grant("/a", "/b");
    assert.deepEqual(await one.next(), ["spiffe://td.test/b 1"]);
    const none = setUp("spiffe://td.test/c");
    none.views.grant("/a");
    await assert.rejects(none.next(), { code: 7 });
    const wrong = setUp("not an id");
    wrong.views.grant("/a");
    await assert.rejects(wrong.next(), { code: 3 });
  });

  it("renews at half of the life, with another key, and ends with the call", async () => {
    const { clock, views, next, over, stream } = setUp();
    views.grant("/a");
    assert.deepEqual(await next(), ["spiffe://td.test/a 1"]);
    const renewed = next();
    await clock.whenSleeping(1);
    await clock.advance(lifeMs / 2 - 1);
    let isRenewed = false;
    void renewed.then(() => {
      isRenewed = true;
    });
    await clock.advance(0);
    assert.equal(isRenewed, false);
    await clock.advance(1);
    assert.deepEqual(await renewed, ["spiffe://td.test/a 2"]);
    over.abort();
    assert.equal((await stream.next()).done, true);
  });

  it("leaves out what cannot be issued now, and tries again", async () => {
    const { clock, views, issue, next } = setUp();
    views.grant("/a", "/b");
    views.witSvid = (id) => (id.endsWith("/b") ? Promise.reject(unavailable("away")) : issue(id));
    assert.deepEqual(await next(), ["spiffe://td.test/a 1"]);
    views.witSvid = issue;
    const both = next();
    await clock.whenSleeping(1);
    await clock.advance(10_000);
    assert.deepEqual(await both, ["spiffe://td.test/a 2", "spiffe://td.test/b 3"]);
  });

  it("ends with what the server said when nothing can be issued", async () => {
    const { views, next } = setUp();
    views.grant("/a");
    views.witSvid = () => Promise.reject(permissionDenied("banned"));
    await assert.rejects(next(), { code: 7, message: "banned" });
    const broken = setUp();
    broken.views.grant("/a");
    broken.views.witSvid = () => Promise.reject(new Error("it confirms another key"));
    await assert.rejects(broken.next(), { code: 14, reason: "issuance_refused" });
  });

  it("ends when the identity is withdrawn", async () => {
    const { views, next } = setUp();
    views.grant("/a");
    await next();
    const ended = next();
    views.grant();
    await assert.rejects(ended, { code: 7, reason: "no_identity" });
  });
});
