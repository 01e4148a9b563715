// The Workload API as a client sees it, over the real socket: SPIFFE Workload API 4-6, Workload Endpoint 3 and 6.

import assert from "node:assert/strict";
import { once } from "node:events";
import { type ClientHttp2Stream, connect } from "node:http2";
import { connect as connectSocket } from "node:net";
import { after, before, describe, it } from "node:test";
import { Health } from "../../proto/gen/grpc/health/v1/health_pb.ts";
import { ServerReflection } from "../../proto/gen/grpc/reflection/v1/reflection_pb.ts";
import { SpiffeWorkloadAPI } from "../../proto/gen/spiffe/workload/workload_pb.ts";
import { Status, StatusError } from "../../runtime/errors/status-error.ts";
import { openChannel } from "../../runtime/rpc/channel.ts";
import { createClient } from "../../runtime/rpc/client.ts";
import { parseConcatenatedCertificates } from "../../spiffe/x509/certificate.ts";
import { eventually } from "../support/eventually.ts";
import { WorkloadMachine } from "../support/workload-machine.ts";

const { signal } = new AbortController();
const metadata = { "workload.spiffe.io": "true" };
const call = { signal, metadata, timeoutMs: 60_000 };

async function first<T>(stream: AsyncIterable<T>): Promise<T> {
  for await (const message of stream) return message;
  throw new Error("stream ended without a message");
}

async function isRefused(answer: Promise<unknown>, code: number, reason: string): Promise<void> {
  await assert.rejects(answer, (err) => {
    assert.ok(err instanceof StatusError, String(err));
    assert.deepEqual([err.code, err.reason], [code, reason]);
    return true;
  });
}

describe("the Workload API", () => {
  let machine: WorkloadMachine;
  let channel: ReturnType<typeof openChannel>;
  const client = () => createClient(SpiffeWorkloadAPI, channel);

  before(async () => {
    machine = await WorkloadMachine.open();
    channel = openChannel({ target: machine.address.replace("unix://", "unix:") });
  });
  after(async () => {
    channel.close();
    await machine[Symbol.asyncDispose]();
  });

  it("WA-06: refuses every call without the security header", async () => {
    const bare = { signal, timeoutMs: 60_000 };
    const api = client();
    const calls = [
      first(api.fetchX509SVID({}, bare)),
      first(api.fetchX509Bundles({}, bare)),
      api.fetchJWTSVID({ audience: ["a"] }, bare),
      first(api.fetchJWTBundles({}, bare)),
      api.validateJWTSVID({ audience: "a", svid: "x" }, bare),
      first(api.fetchWITSVID({}, bare)),
      first(api.fetchWITBundles({}, bare)),
    ];
    for (const each of calls) {
      await isRefused(each, Status.INVALID_ARGUMENT, "security_header_missing");
    }
  });

  for (const value of ["True", "TRUE", "1", ""]) {
    it(`WA-02: refuses a security header of ${JSON.stringify(value)}`, () =>
      isRefused(
        first(client().fetchX509SVID({}, { ...call, metadata: { "workload.spiffe.io": value } })),
        Status.INVALID_ARGUMENT,
        "security_header_missing",
      ));
  }

  it("WA-05: serves health and reflection without the header", async () => {
    const { status } = await createClient(Health, channel).check({}, { signal, timeoutMs: 60_000 });
    assert.equal(status, 1);
    async function* ask() {
      yield { messageRequest: { case: "listServices", value: "" } } as const;
    }
    const reflection = createClient(ServerReflection, channel);
    const answer = await first(reflection.serverReflectionInfo(ask(), { signal }));
    assert.equal(answer.messageResponse.case, "listServicesResponse");
    const names = answer.messageResponse.value.service.map(({ name }) => name);
    assert.ok(names.includes("SpiffeWorkloadAPI"));
  });

  it("WA-08: refuses a caller without identity, and says no more", async () => {
    machine.views.grant();
    await assert.rejects(first(client().fetchX509SVID({}, call)), {
      code: Status.PERMISSION_DENIED,
      message: "no identity issued",
    });
  });

  it("WA-11: sends the SVID, its key and its bundle at once", async () => {
    machine.views.grant("/web", "/db");
    const { svids } = await first(client().fetchX509SVID({}, call));
    assert.deepEqual(
      svids.map(({ spiffeId }) => spiffeId),
      ["spiffe://td.test/web", "spiffe://td.test/db"],
    );
    const [leaf] = parseConcatenatedCertificates(svids[0]?.x509Svid ?? new Uint8Array());
    assert.equal(leaf?.spiffeId?.toString(), "spiffe://td.test/web");
    assert.deepEqual(svids[0]?.bundle, new Uint8Array(machine.views.authority.der));
  });

  it("knows the caller from the kernel", async () => {
    const caller = machine.views.callers.at(-1);
    const values = caller?.selectors.map(({ type, value }) => `${type}:${value}`) ?? [];
    assert.ok(values.includes(`unix:uid:${process.getuid?.()}`));
    assert.ok(values.includes(`unix:path:${process.execPath}`));
    assert.equal(caller?.executable, process.execPath);
  });

  it("WA-17: sends the full state again when one SVID changes", async () => {
    machine.views.grant("/web");
    const seen: string[] = [];
    for await (const { svids } of client().fetchX509SVID({}, call)) {
      const [leaf] = parseConcatenatedCertificates(svids[0]?.x509Svid ?? new Uint8Array());
      seen.push(leaf?.serialNumberHex ?? "");
      if (seen.length === 3) break;
      machine.views.grant("/web");
    }
    assert.equal(new Set(seen).size, 3);
  });

  it("sends nothing while what a stream tells stays the same", async () => {
    machine.views.grant("/web");
    const streams = [client().fetchX509SVID({}, call), client().fetchJWTBundles({}, call)].map(
      (stream) => stream[Symbol.asyncIterator](),
    );
    const before = await Promise.all(streams.map((stream) => stream.next()));
    machine.views.delivered.length = 0;
    // An entry whose SVID is still to come: nothing that either call shows.
    const entry = { entryId: "e2", spiffeId: "spiffe://td.test/later", hint: "" };
    machine.views.set({
      entries: [...machine.views.granted(), { ...entry, allowedAudiences: [] }],
    });
    await eventually("both streams to have seen it", () =>
      machine.views.delivered.length === 2 ? true : undefined,
    );
    machine.views.grant();
    for (const stream of streams) {
      await isRefused(stream.next(), Status.PERMISSION_DENIED, "no_identity");
    }
    assert.ok(before.every(({ done }) => done === false));
  });

  it("WL-42: ends an open stream when the identity is withdrawn", async () => {
    machine.views.grant("/web");
    const stream = client().fetchX509SVID({}, call)[Symbol.asyncIterator]();
    await stream.next();
    machine.views.grant();
    await isRefused(stream.next(), Status.PERMISSION_DENIED, "no_identity");
  });

  it("WA-10: is unavailable before the agent has synchronised", async () => {
    machine.views.set({ serving: "starting" });
    const answer = first(client().fetchX509SVID({}, call));
    await isRefused(answer, Status.UNAVAILABLE, "agent_starting");
  });

  it("WA-13, WA-14: sends bundles of one kind each", async () => {
    machine.views.grant("/web");
    const x509 = await first(client().fetchX509Bundles({}, call));
    assert.deepEqual(Object.keys(x509.bundles), ["spiffe://td.test"]);
    const jwt = await first(client().fetchJWTBundles({}, call));
    const text = Buffer.from(jwt.bundles["spiffe://td.test"] ?? []).toString();
    const { keys } = JSON.parse(text);
    assert.equal(keys.length, 1);
    assert.deepEqual(Object.keys(keys[0]).sort(), ["crv", "kid", "kty", "x", "y"]);
  });

  it("WA-20, WA-21: refuses JWT-SVID requests without an audience", async () => {
    for (const audience of [[], [""], ["a", ""]]) {
      await assert.rejects(client().fetchJWTSVID({ audience }, call), {
        code: Status.INVALID_ARGUMENT,
        message: "audience must be specified",
      });
    }
  });

  it("WA-22, WA-23, WA-25: answers for all identities, or for the one asked for", async () => {
    machine.views.grant("/web", "/db");
    const audience = ["orders"];
    const all = await client().fetchJWTSVID({ audience }, call);
    assert.equal(all.svids.length, 2);
    const one = await client().fetchJWTSVID({ audience, spiffeId: "spiffe://td.test/db" }, call);
    assert.deepEqual(
      one.svids.map(({ spiffeId }) => spiffeId),
      ["spiffe://td.test/db"],
    );
    const other = client().fetchJWTSVID({ audience, spiffeId: "spiffe://td.test/x" }, call);
    await isRefused(other, Status.PERMISSION_DENIED, "no_identity");
    const bad = client().fetchJWTSVID({ audience, spiffeId: "spiffe://TD" }, call);
    await assert.rejects(bad, { code: Status.INVALID_ARGUMENT });
  });

  it("WA-36: validates a token and always returns a list of audiences", async () => {
    machine.views.grant("/web");
    const svid = machine.views.token("spiffe://td.test/db", ["orders"], { team: "x" });
    const answer = await client().validateJWTSVID({ audience: "orders", svid }, call);
    assert.equal(answer.spiffeId, "spiffe://td.test/db");
    assert.deepEqual(answer.claims?.["aud"], ["orders"]);
    assert.equal(answer.claims?.["team"], "x");
  });

  it("WA-32: names the rule that an invalid token breaks", async () => {
    const svid = machine.views.token("spiffe://td.test/db", ["orders"]);
    const wrong = client().validateJWTSVID({ audience: "billing", svid }, call);
    await isRefused(wrong, Status.INVALID_ARGUMENT, "jwt_audience");
    const foreign = machine.views.token("spiffe://other.test/db", ["orders"]);
    await isRefused(
      client().validateJWTSVID({ audience: "orders", svid: foreign }, call),
      Status.INVALID_ARGUMENT,
      "bundle_not_found",
    );
  });

  it("WA-40: offers no WIT-SVIDs", async () => {
    for (const answer of [
      first(client().fetchWITSVID({}, call)),
      first(client().fetchWITBundles({}, call)),
    ]) {
      await assert.rejects(answer, { code: Status.UNIMPLEMENTED });
    }
  });

  it("holds a caller to its streams and serves it again afterwards", async () => {
    machine.views.grant("/web");
    const streams = Array.from({ length: 16 }, () =>
      client().fetchX509SVID({}, call)[Symbol.asyncIterator](),
    );
    for (const stream of streams) await stream.next();
    await isRefused(first(client().fetchX509SVID({}, call)), Status.UNAVAILABLE, "caller_limit");
    for (const stream of streams) await stream.return?.();
    await eventually("a free place", () => first(client().fetchJWTBundles({}, call)));
  });

  it("holds a caller to its calls of every service, over all its connections", async () => {
    const socket = machine.address.replace("unix://", "unix:");
    using stack = new DisposableStack();
    const watches = Array.from({ length: 16 }, () => {
      const own = openChannel({ target: socket });
      stack.defer(() => own.close());
      return createClient(Health, own).watch({}, { signal })[Symbol.asyncIterator]();
    });
    for (const watch of watches) await watch.next();
    const one = first(createClient(Health, channel).watch({}, { signal }));
    await isRefused(one, Status.UNAVAILABLE, "caller_limit");
    for (const watch of watches) await watch.return?.();
    await eventually("a free place", () => first(client().fetchJWTBundles({}, call)));
  });

  it("counts calls before their messages are here", async () => {
    const session = connect("http://localhost", {
      createConnection: () => connectSocket(machine.address.replace("unix://", "")),
    });
    try {
      const path = "/grpc.health.v1.Health/Check";
      const start = (): ClientHttp2Stream =>
        session.request({
          ":method": "POST",
          ":path": path,
          "content-type": "application/grpc",
          te: "trailers",
        });
      const held = Array.from({ length: 16 }, start);
      for (const stream of held) stream.write(Buffer.of(0, 0, 0, 1, 0, 1));
      const [headers] = await once(start(), "response");
      assert.equal(headers["grpc-status"], String(Status.UNAVAILABLE));
      for (const stream of held) stream.close();
      await eventually("a free place", () =>
        createClient(Health, channel).check({}, { signal, timeoutMs: 60_000 }),
      );
    } finally {
      session.destroy();
    }
  });
});
