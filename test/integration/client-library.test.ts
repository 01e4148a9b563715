// The client library against a real Workload API socket, and real TLS between two of its users.

import assert from "node:assert/strict";
import { once } from "node:events";
import { get } from "node:https";
import type { AddressInfo, Server } from "node:net";
import { text } from "node:stream/consumers";
import { describe, it } from "node:test";
import { connect as connectPlain } from "node:tls";
import { Server as GrpcServer } from "@grpc/grpc-js";
import { Agent, request } from "undici";
import { Health } from "../../proto/gen/grpc/health/v1/health_pb.ts";
import { Status, StatusError } from "../../runtime/errors/status-error.ts";
import { openChannel } from "../../runtime/rpc/channel.ts";
import { createClient } from "../../runtime/rpc/client.ts";
import { methodPath, rawMethod } from "../../runtime/rpc/definition.ts";
import {
  connectTls,
  createGrpcListener,
  createHttpsServer,
  createTlsServer,
  grpcChannelCredentials,
  JwtSource,
  type MutualTlsServer,
  matchId,
  matchMemberOf,
  peerIdOf,
  SpiffeHttpsAgent,
  SpiffeId,
  TrustDomain,
  undiciConnector,
  WorkloadBundleSource,
  X509Source,
} from "../../spiffe/client.ts";
import { testNow } from "../support/test-ca.ts";
import { clockAtTestNow, WorkloadMachine } from "../support/workload-machine.ts";

const td = TrustDomain.parse("td.test");
const web = SpiffeId.parse("spiffe://td.test/web");
const now = (): Date => testNow;

function options(machine: WorkloadMachine) {
  return { address: machine.address, clock: clockAtTestNow };
}

async function portOf(server: Server): Promise<number> {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return (server.address() as AddressInfo).port;
}

/** Waits for the source to hold something else than before. */
async function nextSvid(source: X509Source): Promise<void> {
  const before = source.current.value;
  for await (const svid of source.current.subscribe(AbortSignal.timeout(30_000))) {
    if (svid !== before) return;
  }
  throw new Error("source did not change");
}

describe("X509Source", () => {
  it("follows rotations, withdrawals and new grants", async () => {
    await using machine = await WorkloadMachine.open();
    machine.views.grant("/web");
    const problems: Error[] = [];
    await using source = await X509Source.open({
      ...options(machine),
      onProblem: (err) => problems.push(err),
    });
    const first = source.x509Svid();
    assert.ok(first.id.equals(web));
    assert.equal(source.bundleFor(td)?.x509Authorities.length, 1);

    machine.views.grant("/web", "/db");
    await nextSvid(source);
    assert.notEqual(source.x509Svid().leaf.serialNumberHex, first.leaf.serialNumberHex);
    assert.equal(source.x509Svids().length, 2);

    machine.views.grant();
    await nextSvid(source);
    assert.throws(() => source.x509Svid(), { code: "identity_withdrawn" });
    assert.equal(source.bundleFor(td), undefined);
    assert.ok(
      problems.some((err) => err instanceof StatusError && err.code === Status.PERMISSION_DENIED),
    );

    machine.views.grant("/web");
    await nextSvid(source);
    assert.ok(source.x509Svid().id.equals(web));
  });

  it("waits for an identity until its signal ends the wait", async () => {
    await using machine = await WorkloadMachine.open();
    const waiting = X509Source.open({ ...options(machine), signal: AbortSignal.timeout(200) });
    await assert.rejects(waiting, { name: "TimeoutError" });
  });

  it("takes the identity that the program picks", async () => {
    await using machine = await WorkloadMachine.open();
    machine.views.grant("/web", "/db");
    await using source = await X509Source.open({
      ...options(machine),
      pick: (svids) => svids.find(({ id }) => id.path === "/db"),
    });
    assert.equal(source.x509Svid().id.path, "/db");
  });

  it("hands out nothing once it is closed", async () => {
    await using machine = await WorkloadMachine.open();
    machine.views.grant("/web");
    const source = await X509Source.open(options(machine));
    await source[Symbol.asyncDispose]();
    await source[Symbol.asyncDispose]();
    assert.throws(() => source.x509Svid(), { code: "source_closed" });
  });

  it("needs an address", async () => {
    await assert.rejects(X509Source.open({ env: {} }), { code: "endpoint_not_configured" });
    await assert.rejects(X509Source.open({ address: "unix://host/x" }), {
      code: "endpoint_address",
    });
  });
});

describe("JwtSource and WorkloadBundleSource", () => {
  it("fetch tokens and verify them here and through the agent", async () => {
    await using machine = await WorkloadMachine.open();
    machine.views.grant("/web");
    await using source = await JwtSource.open(options(machine));
    const svid = await source.jwtSvid({ audience: "orders" });
    assert.ok(svid.id.equals(web));
    assert.ok((await source.verify(svid.token, ["orders"])).id.equals(web));
    assert.ok((await source.validate(svid.token, "orders")).id.equals(web));
    await assert.rejects(source.verify(svid.token, ["billing"]), { code: "jwt_audience" });
    await assert.rejects(source.validate(svid.token, "billing"), { code: Status.INVALID_ARGUMENT });
    await assert.rejects(source.jwtSvid({ audience: "" }), TypeError);

    await using bundles = await WorkloadBundleSource.open(options(machine));
    const bundle = bundles.bundleFor(td);
    assert.deepEqual([bundle?.x509Authorities.length, bundle?.jwtAuthorities.size], [1, 1]);
  });
});

/** A server and a client of one machine, with the names that the test grants. */
class Pair implements AsyncDisposable {
  readonly machine: WorkloadMachine;
  readonly source: X509Source;
  readonly refused: unknown[] = [];
  readonly #stack: AsyncDisposableStack;

  private constructor(machine: WorkloadMachine, source: X509Source, stack: AsyncDisposableStack) {
    this.machine = machine;
    this.source = source;
    this.#stack = stack;
  }

  static async open(): Promise<Pair> {
    const stack = new AsyncDisposableStack();
    const machine = stack.use(await WorkloadMachine.open());
    machine.views.grant("/web");
    const source = stack.use(await X509Source.open(options(machine)));
    return new Pair(machine, source, stack);
  }

  get server(): MutualTlsServer {
    const { source } = this;
    const onRefused = (err: unknown): void => void this.refused.push(err);
    return { svid: source, bundles: source, authorize: matchMemberOf(td), now, onRefused };
  }

  get client() {
    const { source } = this;
    return { svid: source, bundles: source, authorize: matchId(web), now };
  }

  async listen(server: Server): Promise<number> {
    this.#stack.defer(() => void server.close());
    return portOf(server);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stack.disposeAsync();
  }
}

describe("mutual TLS between SVIDs", () => {
  it("joins two programs over node:tls, across a rotation", async () => {
    await using pair = await Pair.open();
    const server = createTlsServer(pair.server, (socket) => socket.end(`${peerIdOf(socket)}`));
    const port = await pair.listen(server);
    const hello = async (): Promise<string> =>
      text(await connectTls({ host: "127.0.0.1", port }, pair.client));
    assert.equal(await hello(), "spiffe://td.test/web");
    pair.machine.views.grant("/web");
    await nextSvid(pair.source);
    assert.equal(await hello(), "spiffe://td.test/web");
    assert.deepEqual(pair.refused, []);
  });

  it("serves and asks over node:https", async () => {
    await using pair = await Pair.open();
    const server = createHttpsServer(pair.server, (req, res) => res.end(`${peerIdOf(req.socket)}`));
    const port = await pair.listen(server);
    const agent = new SpiffeHttpsAgent(pair.client);
    const [response] = await once(get({ host: "127.0.0.1", port, agent }), "response");
    assert.equal(await text(response), "spiffe://td.test/web");
    agent.destroy();
  });

  it("asks over undici", async () => {
    await using pair = await Pair.open();
    const server = createHttpsServer(pair.server, (_req, res) => res.end("hello"));
    const port = await pair.listen(server);
    const dispatcher = new Agent({ connect: undiciConnector(pair.client) });
    const { body } = await request(`https://127.0.0.1:${port}/`, { dispatcher });
    assert.equal(await body.text(), "hello");
    await dispatcher.close();
  });

  it("carries gRPC", async () => {
    await using pair = await Pair.open();
    const grpc = new GrpcServer();
    const { check } = Health.method;
    grpc.addService(
      { check: rawMethod(check) },
      {
        check: (_call: unknown, done: (err: null, answer: Buffer) => void) =>
          done(null, Buffer.from([8, 1])),
      },
    );
    const port = await pair.listen(createGrpcListener(grpc, pair.server));
    const credentials = grpcChannelCredentials(pair.client);
    const channel = openChannel({ target: `127.0.0.1:${port}`, credentials });
    const { signal } = new AbortController();
    const answer = await createClient(Health, channel).check({}, { signal, timeoutMs: 60_000 });
    assert.equal(answer.status, 1, methodPath(check));
    channel.close();
    grpc.forceShutdown();
  });

  it("refuses a server with another identity before a byte is sent", async () => {
    await using pair = await Pair.open();
    const server = createTlsServer(pair.server, (socket) => socket.end("secret"));
    const port = await pair.listen(server);
    const expected = matchId(SpiffeId.parse("spiffe://td.test/db"));
    await assert.rejects(
      connectTls({ host: "127.0.0.1", port }, { ...pair.client, authorize: expected }),
      { code: "id_not_authorized" },
    );
  });

  it("refuses clients without a certificate and from elsewhere, and tells", async () => {
    await using pair = await Pair.open();
    await using elsewhere = await Pair.open();
    let requests = 0;
    const server = createHttpsServer(pair.server, (_req, res) => {
      requests += 1;
      res.end();
    });
    const port = await pair.listen(server);
    const anonymous = connectPlain({ host: "127.0.0.1", port, rejectUnauthorized: false });
    anonymous.on("error", () => {});
    anonymous.write("GET / HTTP/1.1\r\nhost: x\r\n\r\n");
    await once(anonymous, "close");
    const { svid } = elsewhere.client;
    const intruder = await connectTls({ host: "127.0.0.1", port }, { ...pair.client, svid });
    intruder.on("error", () => {});
    intruder.write("GET / HTTP/1.1\r\nhost: x\r\n\r\n");
    intruder.resume();
    await once(intruder, "close");
    assert.equal(requests, 0);
    assert.equal(pair.refused.length, 2);
  });

  it("refuses everybody once the server's identity is withdrawn", async () => {
    await using pair = await Pair.open();
    const server = createTlsServer(pair.server, (socket) => socket.end("hello"));
    const port = await pair.listen(server);
    const svid = pair.source.x509Svid();
    const bundle = pair.source.bundleFor(td);
    pair.machine.views.grant();
    await nextSvid(pair.source);
    const socket = await connectTls(
      { host: "127.0.0.1", port },
      {
        svid: { x509Svid: () => svid },
        bundles: { bundleFor: () => bundle },
        authorize: matchId(web),
        now,
      },
    );
    socket.on("error", () => {});
    assert.equal(await text(socket).catch(() => ""), "");
    assert.equal(pair.refused.length, 1);
  });
});
