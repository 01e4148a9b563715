import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { create } from "@bufbuild/protobuf";
import { JWTSVIDRequestSchema } from "../../proto/gen/spiffe/workload/workload_pb.ts";
import type { CallContext } from "../../runtime/rpc/call-context.ts";
import { FakeClock } from "../../test/fakes/fake-clock.ts";
import { FakeWorkloadViews } from "../../test/fakes/fake-workload-views.ts";
import { RecordingLog } from "../../test/fakes/recording-log.ts";
import { selfFacts } from "../../test/support/self-facts.ts";
import { type AttestedCaller, CallerGoneError } from "../workload-attestation/attest.ts";
import type { Undecided } from "../workload-attestation/workload-attestor.ts";
import { Refusals } from "./refusals.ts";
import { WorkloadApi } from "./workload-api.ts";
import type { WorkloadPeer } from "./workload-peer.ts";

const callerWith = (...values: readonly string[]): AttestedCaller => ({
  facts: selfFacts(),
  instance: { uid: 1, process: "1@1" },
  selectors: values.map((value) => ({ type: "unix", value })),
  undecided: [],
});

function setUp() {
  const clock = new FakeClock();
  const views = new FakeWorkloadViews();
  const refusals = new Refusals(clock);
  const state = {
    isPresent: true,
    attest: async (): Promise<AttestedCaller> => callerWith("uid:1"),
  };
  const api = new WorkloadApi({
    views,
    attest: () => state.attest(),
    isPresent: () => state.isPresent,
    refusals,
    clock,
    waitForIdentityMs: 0,
  });
  const over = new AbortController();
  const call: CallContext<WorkloadPeer> = {
    method: "/SpiffeWorkloadAPI/FetchX509SVID",
    caller: { credentials: { pid: 1, uid: 1, gid: 1 }, limitKey: "1 /" },
    connectionId: "c1",
    signal: over.signal,
    metadata: new Map(),
    log: new RecordingLog().log,
    requestId: "r1",
    setTrailer: () => {},
  };
  const stream = api.fetchX509SVID({}, call)[Symbol.asyncIterator]();
  const nextIds = async (): Promise<readonly (string | undefined)[]> => {
    const next = await stream.next();
    if (next.done === true) return [];
    return (next.value.svids ?? []).map(({ spiffeId }) => spiffeId);
  };
  return { views, refusals, state, clock, api, call, over, stream, nextIds };
}

describe("an open stream of the Workload API", () => {
  it("attests its caller again when entries ask for a new kind of selector", async () => {
    const { views, state, stream, nextIds, over } = setUp();
    views.grant("/web");
    assert.deepEqual(await nextIds(), ["spiffe://td.test/web"]);
    assert.equal(views.callers.length, 1);
    const next = nextIds();
    state.attest = async () => callerWith("uid:1", "sha256:aa");
    views.selectorKinds.set(1);
    await new Promise((resolve) => setImmediate(resolve));
    views.grant("/web", "/more");
    assert.deepEqual(await next, ["spiffe://td.test/web", "spiffe://td.test/more"]);
    assert.deepEqual(
      views.callers.at(-1)?.selectors.map(({ value }) => value),
      ["uid:1", "sha256:aa"],
    );
    over.abort();
    assert.equal((await stream.next()).done, true);
  });

  it("writes nothing again when the caller turns out to be the same", async () => {
    const { views, nextIds } = setUp();
    views.grant("/web");
    await nextIds();
    const next = nextIds();
    views.selectorKinds.set(1);
    await new Promise((resolve) => setImmediate(resolve));
    assert.equal(views.callers.length, 1);
    views.grant("/other");
    assert.deepEqual(await next, ["spiffe://td.test/other"]);
  });

  it("ends when the caller cannot be attested again", async () => {
    const { views, state, nextIds } = setUp();
    views.grant("/web");
    await nextIds();
    const next = nextIds();
    state.attest = () => Promise.reject(new CallerGoneError("it has gone"));
    views.selectorKinds.set(1);
    await assert.rejects(next, { code: 14, reason: "caller_gone" });
  });

  it("gives nothing new to whoever a process that has ended left its connection to", async () => {
    const { views, state, refusals, nextIds } = setUp();
    views.grant("/web");
    await nextIds();
    state.isPresent = false;
    const next = nextIds();
    views.grant("/web");
    await assert.rejects(next, { code: 14, message: "calling process has ended" });
    assert.equal(refusals.latest()[0]?.reason, "caller_gone");
  });
});

describe("a caller of whom something is undecided", () => {
  const undecided = (retry?: Undecided["retry"]): AttestedCaller => ({
    ...callerWith("uid:1"),
    undecided: [
      {
        type: "unix",
        prefixes: ["uid:0"],
        transient: true,
        reason: "later",
        ...(retry && { retry }),
      },
    ],
  });

  it("waits for as long as the attestor says, and is answered when it says so", async () => {
    const { views, state, clock, nextIds } = setUp();
    views.grant("/web");
    const told = Promise.withResolvers<void>();
    state.attest = async () => undecided({ waitMs: 5_000, when: () => told.promise });
    const next = nextIds();
    await clock.advance(0);
    await clock.advance(4_900);
    state.attest = async () => callerWith("uid:1", "uid:0");
    told.resolve();
    assert.deepEqual(await next, ["spiffe://td.test/web"]);
    assert.equal(views.callers.at(-1)?.selectors.length, 2);
  });

  it("waits for four fifths of its deadline, counted from when it called", async () => {
    const { views, state, clock, api, call } = setUp();
    views.grant("/web");
    const endMs = clock.monotonicMs() + 10_000;
    const limited: CallContext<WorkloadPeer> = {
      ...call,
      get deadlineMs() {
        return endMs - clock.monotonicMs();
      },
    };
    state.attest = async () =>
      undecided({ waitMs: 60_000, when: () => clock.sleep(1_000, call.signal) });
    let isRefused = false;
    const refused = assert
      .rejects(api.fetchX509SVID({}, limited).next(), { code: 14, reason: "attestor_failed" })
      .then(() => {
        isRefused = true;
      });
    for (let i = 0; i < 7; i += 1) await clock.advance(1_000);
    assert.equal(isRefused, false);
    await clock.advance(1_000);
    await refused;
  });

  it("is refused as unavailable when the attestor's time is over, not as without identity", async () => {
    const { views, state, refusals, clock, nextIds } = setUp();
    views.grant("/web");
    const { promise } = Promise.withResolvers<void>();
    state.attest = async () => undecided({ waitMs: 5_000, when: () => promise });
    const refused = assert.rejects(nextIds(), { code: 14, reason: "attestor_failed" });
    await clock.advance(0);
    await clock.advance(5_000);
    await refused;
    assert.equal(refusals.latest()[0]?.reason, "attestor_failed");
  });

  it("keeps its stream, as it was, while it cannot be attested again", async () => {
    const { views, state, clock, nextIds } = setUp();
    views.grant("/web");
    const changes = Promise.withResolvers<void>();
    state.attest = async () => ({
      ...callerWith("uid:1"),
      changed: [() => changes.promise],
    });
    await nextIds();
    state.attest = async () => undecided();
    const next = nextIds();
    changes.resolve();
    await clock.advance(0);
    await clock.advance(60_000);
    assert.equal(views.callers.length, 1);
    state.attest = async () => callerWith("uid:1", "uid:0");
    await clock.advance(1_000);
    views.grant("/more");
    assert.deepEqual(await next, ["spiffe://td.test/more"]);
    assert.equal(views.callers.length, 2);
  });
});

describe("FetchJWTSVID", () => {
  const entry = (id: string, allowedAudiences: readonly string[]) => ({
    entryId: id,
    spiffeId: `spiffe://td.test/${id}`,
    hint: "",
    allowedAudiences,
  });

  it("leaves out an identity that is not for the audience, and answers for the others", async () => {
    const { views, api, call } = setUp();
    views.set({ entries: [entry("a", ["db"]), entry("b", [])] });
    const request = create(JWTSVIDRequestSchema, { audience: ["queue"] });
    const { svids } = await api.fetchJWTSVID(request, call);
    assert.deepEqual(
      svids?.map(({ spiffeId }) => spiffeId),
      ["spiffe://td.test/b"],
    );
  });

  it("gives nothing to whoever a process that has ended left its connection to", async () => {
    const { views, state, refusals, api, call } = setUp();
    views.set({ entries: [entry("a", [])] });
    const request = create(JWTSVIDRequestSchema, { audience: ["db"] });
    const asked = api.fetchJWTSVID(request, call);
    state.isPresent = false;
    await assert.rejects(asked, { code: 14, reason: "caller_gone" });
    assert.equal(refusals.latest()[0]?.reason, "caller_gone");
  });
});
