// A proxy in front of a service: requests that never stop, each on a connection of its own, and one answer that goes on through all of it.

import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type Server } from "node:http";
import { get } from "node:https";
import type { AddressInfo } from "node:net";
import { setTimeout as wait } from "node:timers/promises";
import type { TLSSocket } from "node:tls";
import { Agent, request as plainRequest } from "undici";
import { type MutualTls, matchId, SpiffeHttpsAgent, SpiffeId } from "../../spiffe/client.ts";
import { eventually } from "./eventually.ts";
import { FilesWorld, PATIENCE } from "./files-world.ts";
import { trustDomain } from "./machine.ts";

/** What is behind a proxy: answers at once, and at /stream a line every 20 ms until the client goes. */
class Upstream implements AsyncDisposable {
  readonly #server: Server;

  private constructor(server: Server) {
    this.#server = server;
  }

  static async open(): Promise<Upstream> {
    const server = createServer((request, response) => {
      if (request.url !== "/stream") return void response.end("hello");
      // Otherwise nginx collects lines before it passes them on.
      response.writeHead(200, { "x-accel-buffering": "no" });
      const timer = setInterval(() => response.write("line\n"), 20);
      response.once("close", () => clearInterval(timer));
    });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    return new Upstream(server);
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
  }
}

/** Requests without end to one server, from several clients at a time. */
class SteadyRequests implements AsyncDisposable {
  readonly failures: string[] = [];
  /** Serial numbers of the certificates that the server showed, in the order of their first appearance. */
  readonly serials: Set<string> = new Set();
  done = 0;
  readonly #tls: MutualTls;
  readonly #port: number;
  readonly #stop = new AbortController();
  readonly #running: Promise<unknown>;

  constructor(tls: MutualTls, port: number, clients = 3) {
    this.#tls = tls;
    this.#port = port;
    this.#running = Promise.all(Array.from({ length: clients }, () => this.#client()));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await this.#running;
  }

  async #client(): Promise<void> {
    while (!this.#stop.signal.aborted) {
      try {
        const { body, serial } = await request(this.#tls, this.#port, "/");
        if (body !== "hello") throw new Error(`answered ${JSON.stringify(body.slice(0, 100))}`);
        this.serials.add(serial);
        this.done += 1;
      } catch (err) {
        this.failures.push(String(err));
      }
      await wait(5);
    }
  }
}

/** One request on a connection of its own. */
async function request(
  tls: MutualTls,
  port: number,
  path: string,
): Promise<{ readonly status: number; readonly body: string; readonly serial: string }> {
  const agent = new SpiffeHttpsAgent(tls, { keepAlive: false });
  const asked = get({ host: "127.0.0.1", port, path, agent, timeout: 10_000 });
  asked.once("timeout", () => asked.destroy(new Error("no answer for ten seconds")));
  const [response] = await once(asked, "response");
  const serial = (response.socket as TLSSocket).getPeerCertificate().serialNumber.toLowerCase();
  let body = "";
  for await (const chunk of response) body += chunk;
  return { status: response.statusCode, body, serial };
}

/** An answer that goes on; counts what has come. */
class LiveStream implements AsyncDisposable {
  bytes = 0;
  failure: string | undefined;
  readonly #destroy: () => void;

  private constructor(destroy: () => void) {
    this.#destroy = destroy;
  }

  static async open(tls: MutualTls, port: number): Promise<LiveStream> {
    const agent = new SpiffeHttpsAgent(tls, { keepAlive: false });
    const asked = get({ host: "127.0.0.1", port, path: "/stream", agent });
    const [response] = await once(asked, "response");
    const stream = new LiveStream(() => asked.destroy());
    response.on("data", (chunk: Buffer) => {
      stream.bytes += chunk.length;
    });
    response.on("error", (err: Error) => {
      stream.failure ??= err.message;
    });
    response.on("end", () => {
      stream.failure ??= "ended";
    });
    return stream;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.failure ??= "closed by the test";
    this.#destroy();
  }
}

const isLong = process.env["ASSAY_TEST_LONG"] === "1";
const ROTATIONS = isLong ? 30 : 3;
const REQUESTS_EACH = isLong ? 200 : 50;

/** A proxy with a page that tells how to set it up. */
export interface ProxyStory {
  readonly page: string;
  /** Paths on the page, and the names that they get in the test's folder. */
  readonly places: Readonly<Record<string, string>>;
  /** The file with the certificate, in the test's folder. */
  readonly certificate: string;
  /** Starts it from the page's configuration. */
  readonly start: (world: FilesWorld) => Promise<void>;
}

/**
 * Sets a proxy up as its page says, in front of a service, and rotates its identity under load.
 *
 * @param strangers what becomes of a client without a certificate
 */
export async function proveProxy(
  proxy: ProxyStory,
  tell: (text: string) => void,
  strangers: (port: number) => Promise<void>,
): Promise<void> {
  await using upstream = await Upstream.open();
  await using world = await FilesWorld.open();
  await world.grant("/web");
  await world.grant("/client");
  const port = await world.port("8443");
  world.places.set("127.0.0.1:8080", `127.0.0.1:${upstream.port}`);
  for (const [onPage, name] of Object.entries(proxy.places)) {
    world.places.set(onPage, world.dir.join(name));
  }
  const identity = `identity: { spiffeId: "spiffe://${trustDomain}/web" }`;
  await world.startFiles("files", `${await world.block(proxy.page, "yaml")}${identity}`);
  const file = world.dir.join(proxy.certificate);
  await world.serialIn(file);
  await proxy.start(world);

  await using svid = await world.source("/client");
  const web = SpiffeId.parse(`spiffe://${trustDomain}/web`);
  const tls = { svid, bundles: svid, authorize: matchId(web) };
  await eventually("the proxy", async () => (await request(tls, port, "/")).status, PATIENCE);
  await using stream = await LiveStream.open(tls, port);
  await using steady = new SteadyRequests(tls, port);
  await rotateUnderLoad(steady, stream, () => world.rotateInFile("/web", file));
  tell(`${steady.done} requests over ${ROTATIONS} rotations, none failed`);
  await strangers(port);
}

/**
 * Rotates several times; each time the server comes to show the new certificate, and goes on answering. No request fails, and the
 * stream goes on through all of it.
 *
 * @param rotate resolves with the serial number of the new certificate
 */
async function rotateUnderLoad(
  steady: SteadyRequests,
  stream: LiveStream,
  rotate: () => Promise<string>,
): Promise<void> {
  for (let i = 0; i < ROTATIONS; i++) {
    const serial = await rotate();
    const done = steady.done + REQUESTS_EACH;
    await eventually(
      "the new certificate",
      () => steady.serials.has(serial) || undefined,
      PATIENCE,
    );
    await eventually("more requests", () => steady.done >= done || undefined, PATIENCE);
  }
  const before = stream.bytes;
  await eventually("more of the stream", () => stream.bytes > before || undefined, PATIENCE);
  assert.equal(stream.failure, undefined);
  assert.deepEqual(steady.failures, []);
  assert.equal(steady.serials.size, ROTATIONS + 1);
}

/** What a client without a certificate gets. @throws {Error} when that is no answer at all */
export async function askAsStranger(
  port: number,
): Promise<{ readonly status: number; readonly body: string }> {
  const dispatcher = new Agent({ connect: { rejectUnauthorized: false } });
  try {
    const answer = await plainRequest(`https://127.0.0.1:${port}/`, { dispatcher });
    return { status: answer.statusCode, body: await answer.body.text() };
  } finally {
    await dispatcher.close();
  }
}
