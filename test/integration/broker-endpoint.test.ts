// The broker socket under callers that are not welcome, or not any longer: SPIFFE Broker Endpoint 3.1, 5 and 6.

import assert from "node:assert/strict";
import { once } from "node:events";
import { connect as connectSocket } from "node:net";
import { after, before, describe, it } from "node:test";
import { connect as connectTls } from "node:tls";
import { create, toBinary } from "@bufbuild/protobuf";
import { CallerLimits } from "../../agent/endpoints/caller-limits.ts";
import { BrokerEndpoint } from "../../agent/endpoints/delegation/broker-endpoint.ts";
import { Refusals } from "../../agent/endpoints/refusals.ts";
import { API, WorkloadPIDReferenceSchema } from "../../proto/gen/spiffe/broker/api_pb.ts";
import { Status } from "../../runtime/errors/status-error.ts";
import { createLogger } from "../../runtime/log.ts";
import { isSameProcess } from "../../runtime/peer/process-watch.ts";
import { systemRandom } from "../../runtime/random.ts";
import { openChannel } from "../../runtime/rpc/channel.ts";
import { createClient } from "../../runtime/rpc/client.ts";
import { systemClock } from "../../runtime/time/clock.ts";
import { Bundle, type BundleSource } from "../../spiffe/bundle/bundle.ts";
import { matchAny } from "../../spiffe/id/matcher.ts";
import { TrustDomain } from "../../spiffe/id/trust-domain.ts";
import { X509Svid } from "../../spiffe/svid/x509-svid.ts";
import { grpcChannelCredentials } from "../../spiffe/tls/grpc.ts";
import { Certificate } from "../../spiffe/x509/certificate.ts";
import { FakeWorkloadViews } from "../fakes/fake-workload-views.ts";
import { eventually } from "../support/eventually.ts";
import { selfFacts } from "../support/self-facts.ts";
import { TempDir } from "../support/temp-dir.ts";
import { TestAuthority, testNow, uriSan } from "../support/test-ca.ts";

const trustDomain = TrustDomain.parse("td.test");
const { signal } = new AbortController();
const metadata = { "broker.spiffe.io": "true" };
const own = {
  typeUrl: "type.googleapis.com/spiffe.broker.WorkloadPIDReference",
  value: toBinary(
    WorkloadPIDReferenceSchema,
    create(WorkloadPIDReferenceSchema, { pid: process.pid }),
  ),
};
const request = { reference: { reference: own } };

const svidOf = (authority: TestAuthority, id: string): X509Svid => {
  const leaf = authority.leaf({ subjectAltName: uriSan(id) });
  return new X509Svid([Certificate.parse(leaf.der)], leaf.privateKey);
};
const bundleOf = (authority: TestAuthority): Bundle =>
  new Bundle(trustDomain, { x509Authorities: [Certificate.parse(authority.der)] });

describe("the broker socket", () => {
  const views = new FakeWorkloadViews();
  const { authority } = views;
  const refusals = new Refusals(systemClock);
  const state = { clockMs: 0, now: testNow, bundle: bundleOf(authority) };
  const bundles: BundleSource = { bundleFor: (each) => state.bundle.bundleFor(each) };
  const stack = new AsyncDisposableStack();
  let path: string;

  before(async () => {
    const dir = stack.use(await TempDir.open());
    path = dir.join("broker.sock");
    const x509Svid = svidOf(authority, "spiffe://td.test/spire/agent/test/1");
    stack.use(
      await BrokerEndpoint.open({
        endpoint: { path, mode: 0o600 },
        trustDomain,
        tls: { svid: { x509Svid: () => x509Svid }, bundles },
        brokers: new Set(["spiffe://td.test/broker"]),
        limits: new CallerLimits({
          connectionsPerCaller: 4,
          streamsPerCaller: 2,
          callsPerCaller: 2,
          rate: {
            allowed: { perSecond: 1, burst: 200 },
            clock: { monotonicMs: () => state.clockMs },
          },
        }),
        maxStreams: 4,
        maxMessageBytes: 64 * 1024,
        views,
        attest: async () => ({
          facts: selfFacts(),
          instance: { uid: 1, process: "1@1" },
          selectors: [],
          undecided: [],
        }),
        isPresent: ({ credentials }) => isSameProcess(credentials),
        refusals,
        waitForIdentityMs: 0,
        log: createLogger({ level: "error", format: "text" }),
        clock: { ...systemClock, now: () => state.now },
        random: systemRandom,
      }),
    );
    views.grant("/web");
  });

  after(() => stack.disposeAsync());

  function brokerWith(svid: X509Svid) {
    const credentials = grpcChannelCredentials({
      svid: { x509Svid: () => svid },
      bundles: bundleOf(authority),
      authorize: matchAny(),
      now: () => testNow,
    });
    const channel = openChannel({ target: `unix:${path}`, credentials });
    return {
      api: createClient(API, channel),
      [Symbol.dispose]: () => channel.close(),
    };
  }
  const broker = () => brokerWith(svidOf(authority, "spiffe://td.test/broker"));

  it("serves a broker", async () => {
    using connection = broker();
    const stream = connection.api.subscribeToX509SVID(request, { signal, metadata });
    for await (const { svids } of stream) {
      assert.equal(svids[0]?.spiffeId, "spiffe://td.test/web");
      break;
    }
    assert.equal(views.callers.at(-1)?.delegate?.id, "spiffe://td.test/broker");
  });

  it("BR-02: closes the connection of a caller without a certificate", async () => {
    const socket = connectTls({ path, rejectUnauthorized: false, ALPNProtocols: ["h2"] });
    socket.on("error", () => {});
    await once(socket, "close");
    assert.equal(refusals.latest(1)[0]?.reason, "not_broker");
  });

  const strangers = [
    ["of an unknown authority", svidOf(TestAuthority.root(), "spiffe://td.test/broker")],
    ["of another trust domain", svidOf(authority, "spiffe://other.test/broker")],
  ] as const;
  for (const [name, svid] of strangers) {
    it(`BR-02: closes the connection of an SVID ${name}`, async () => {
      using connection = brokerWith(svid);
      const call = connection.api.fetchJWTSVID(
        { ...request, audience: ["a"] },
        { signal, metadata, timeoutMs: 2_000 },
      );
      await assert.rejects(call, ({ code }) =>
        [Status.UNAVAILABLE, Status.DEADLINE_EXCEEDED].includes(code),
      );
    });
  }

  it("is not disturbed by what is no TLS", async () => {
    for (const bytes of [
      "",
      "GET / HTTP/1.1\r\n\r\n",
      "\x16\x03\x01\xff\xff",
      "\0".repeat(5_000),
    ]) {
      const socket = connectSocket({ path });
      socket.on("error", () => {});
      socket.end(bytes, "latin1");
      socket.resume();
      await once(socket, "close");
    }
    using connection = broker();
    const { svids } = await connection.api.fetchJWTSVID(
      { ...request, audience: ["a"] },
      { signal, metadata, timeoutMs: 60_000 },
    );
    assert.equal(svids.length, 1);
  });

  it("refuses what one caller asks beyond its share", async () => {
    using connection = broker();
    const streams = [1, 2].map(() =>
      connection.api.subscribeToX509Bundles(request, { signal, metadata })[Symbol.asyncIterator](),
    );
    for (const stream of streams) await stream.next();
    const third = connection.api.subscribeToX509Bundles(request, { signal, metadata });
    await assert.rejects(third[Symbol.asyncIterator]().next(), {
      code: Status.UNAVAILABLE,
      reason: "caller_limit",
    });
    for (const stream of streams) await stream.return?.();
  });

  it("refuses what one caller asks too often, and says when to try again", async () => {
    using connection = broker();
    const ask = () =>
      connection.api.fetchJWTSVID(
        { ...request, audience: ["a"] },
        { signal, metadata, timeoutMs: 30_000 },
      );
    const refusal = (async () => {
      for (let i = 0; i < 250; i += 1) await ask();
    })();
    await assert.rejects(refusal, { code: Status.RESOURCE_EXHAUSTED });
    state.clockMs += 60_000;
    assert.equal((await ask()).svids.length, 1);
    state.clockMs += 600_000;
  });

  const ends = [
    [
      "has expired",
      () => {
        state.now = new Date(testNow.getTime() + 10 * 365 * 86_400_000);
      },
    ],
    [
      "has lost its authority",
      () => {
        state.bundle = bundleOf(TestAuthority.root());
      },
    ],
  ] as const;
  for (const [name, end] of ends) {
    it(`ends the streams of a broker whose SVID ${name}`, async () => {
      using connection = broker();
      const stream = connection.api
        .subscribeToX509Bundles(request, { signal, metadata })
        [Symbol.asyncIterator]();
      await eventually("an answer", async () => (await stream.next()).done === false || undefined);
      end();
      // The connection is closed at once: whatever is on it was meant for an SVID that holds no longer.
      await assert.rejects(stream.next(), { code: Status.UNAVAILABLE });
      state.now = testNow;
      state.bundle = bundleOf(authority);
    });
  }
});
