// What a hostile or broken client may do to the RPC server, and what it costs the others: nothing.

import assert from "node:assert/strict";
import { type EventEmitter, once } from "node:events";
import { constants } from "node:http2";
import { connect } from "node:net";
import { describe, it } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import { gzipSync } from "node:zlib";
import { Status } from "../../runtime/errors/status-error.ts";
import { Feed } from "../../runtime/feed.ts";
import { FakeClock } from "../fakes/fake-clock.ts";
import { EchoServer } from "../support/echo/echo-server.ts";
import { frame, RawClient, statusOf } from "../support/echo/raw-client.ts";
import { eventually } from "../support/eventually.ts";

const options = { signal: new AbortController().signal, timeoutMs: 60_000 };

async function assertServes(server: EchoServer): Promise<void> {
  assert.equal((await server.client.say({ text: "still here" }, options)).text, "still here");
}

describe("a connection that makes no call", () => {
  it("is closed after 5 s, one with a call is not", async () => {
    const clock = new FakeClock();
    await using server = await EchoServer.open({ clock });
    await clock.whenSleeping();
    using polite = await RawClient.open(server.path);
    const call = polite.start("Say");
    call.end(frame("hello"));
    assert.equal((await statusOf(call)).code, Status.OK);
    using silent = await RawClient.open(server.path);
    const mute = connect(server.path);
    await once(mute, "connect");
    await eventually("three connections", () => server.rpc.connectionCount === 3 || undefined);
    await clock.advance(4_000);
    assert.equal(server.rpc.connectionCount, 3);
    await clock.advance(2_000);
    await silent.closed();
    mute.resume();
    await once(mute, "close");
    assert.equal(server.rpc.connectionCount, 1);
    assert.equal(polite.session.destroyed, false);
  });
});

describe("a request that does not arrive in full", () => {
  it("is refused after 10 s, and its stream is gone", async () => {
    const clock = new FakeClock();
    await using server = await EchoServer.open({ clock });
    await clock.whenSleeping();
    using client = await RawClient.open(server.path);
    const half = client.start("Say");
    half.write(frame("hello").subarray(0, 7));
    const unended = client.start("Repeat");
    unended.write(frame("hello"));
    const live = client.start("Say");
    live.end(frame("hello"));
    assert.equal((await statusOf(live)).code, Status.OK);
    const ended = Promise.all([statusOf(half), statusOf(unended)]);
    await clock.advance(12_000);
    for (const { code, message } of await ended) {
      assert.equal(code, Status.DEADLINE_EXCEEDED);
      assert.equal(decodeURI(message), "request did not arrive in time");
    }
    await assertServes(server);
  });
});

describe("a bad request", () => {
  it("that is no protobuf is refused as INVALID_ARGUMENT", async () => {
    await using server = await EchoServer.open();
    using client = await RawClient.open(server.path);
    for (const body of [
      Buffer.from([0, 0, 0, 0, 2, 0x0a, 0x20]),
      Buffer.from([0, 0, 0, 0, 1, 0xff]),
      Buffer.concat([Buffer.from([0, 0, 0, 1, 0]), Buffer.alloc(256, 0x0b)]),
    ]) {
      const call = client.start("Say");
      call.end(body);
      const { code, message } = await statusOf(call);
      assert.equal(code, Status.INVALID_ARGUMENT);
      assert.equal(decodeURI(message), "request is not a valid assay.test.echo.Words");
    }
  });

  it("in the middle of a stream ends that stream as INVALID_ARGUMENT", async () => {
    await using server = await EchoServer.open();
    using client = await RawClient.open(server.path);
    const call = client.start("Talk");
    call.write(frame("good"));
    call.write(Buffer.from([0, 0, 0, 0, 1, 0xff]));
    call.end();
    assert.equal((await statusOf(call)).code, Status.INVALID_ARGUMENT);
  });

  it("that is too large is refused as RESOURCE_EXHAUSTED", async () => {
    await using server = await EchoServer.open({ limits: { maxReceiveBytes: 1000 } });
    await assert.rejects(server.client.say({ text: "x".repeat(1001) }, options), {
      code: Status.RESOURCE_EXHAUSTED,
    });
    await assertServes(server);
  });

  it("that is small and decompresses to too much is refused as RESOURCE_EXHAUSTED", async () => {
    await using server = await EchoServer.open({ limits: { maxReceiveBytes: 100_000 } });
    using client = await RawClient.open(server.path);
    const bomb = gzipSync(Buffer.alloc(50_000_000));
    const head = Buffer.from([1, 0, 0, 0, 0]);
    head.writeUInt32BE(bomb.length, 1);
    const call = client.start("Say", { "grpc-encoding": "gzip" });
    call.end(Buffer.concat([head, bomb]));
    assert.equal((await statusOf(call)).code, Status.RESOURCE_EXHAUSTED);
  });

  it("for a path of strange bytes is refused as UNIMPLEMENTED", async () => {
    await using server = await EchoServer.open();
    using client = await RawClient.open(server.path);
    for (const path of ["/", "/%00", "/\u00ff\u0080", "/a".repeat(4000)]) {
      const call = client.start("Say", { ":path": path });
      call.end(frame("hello"));
      assert.equal((await statusOf(call)).code, Status.UNIMPLEMENTED);
    }
  });

  it("with a deadline that is none is refused", async () => {
    await using server = await EchoServer.open();
    using client = await RawClient.open(server.path);
    for (const timeout of ["soon", "-1S", "99999999999H", "\u00ff"]) {
      const call = client.start("Say", { "grpc-timeout": timeout });
      call.end(frame("hello"));
      await statusOf(call);
    }
    await assertServes(server);
  });
});

describe("a reader that does not read", () => {
  it("keeps the handler waiting, then sees only the newest value", async () => {
    const feed = new Feed("v0");
    const sent: string[] = [];
    const padding = "x".repeat(100_000);
    await using server = await EchoServer.open({
      handlers: {
        async *repeat(_request, { signal }) {
          for await (const version of feed.subscribe(signal)) {
            sent.push(version);
            yield { text: version + padding };
            if (version === "last") return;
          }
        },
      },
    });
    using client = await RawClient.open(server.path);
    const call = client.start("Repeat");
    call.end(frame(""));
    await eventually("the first value to be sent", () => sent.length > 0 || undefined);
    for (let i = 1; i <= 100; i++) {
      feed.set(`v${i}`);
      await turn();
    }
    feed.set("last");
    assert.ok(sent.length < 5, `the handler ran on: ${sent.join(" ")}`);
    assert.equal((await statusOf(call)).code, Status.OK);
    assert.equal(sent.at(-1), "last");
    assert.ok(sent.length < 6, `the reader saw the past: ${sent.join(" ")}`);
  });

  it("loses its stream after 10 s, while others on the connection go on", async () => {
    const clock = new FakeClock();
    const aborted = Promise.withResolvers<unknown>();
    await using server = await EchoServer.open({
      clock,
      handlers: {
        async *repeat(_request, { signal }) {
          signal.addEventListener("abort", () => aborted.resolve(signal.reason));
          for (;;) yield { text: "x".repeat(100_000) };
        },
      },
    });
    await clock.whenSleeping();
    using client = await RawClient.open(server.path);
    const slow = client.start("Repeat");
    slow.end(frame(""));
    const closed = closing(slow);
    const talk = client.start("Talk");
    talk.write(frame("a"));
    await once(talk, "data");
    await clock.advance(9_000);
    assert.equal(slow.destroyed, false);
    await clock.advance(3_000);
    const reason = await aborted.promise;
    assert.ok(reason instanceof Error);
    assert.equal(reason.message, "reader is too slow");
    await closed;
    assert.equal(slow.rstCode, constants.NGHTTP2_CANCEL);
    talk.write(frame("b"));
    await once(talk, "data");
    assert.equal(server.logged.filter(({ level }) => level === "warn").length, 1);
  });
});

describe("HTTP/2 abuse", () => {
  it("by more calls at a time than allowed has the surplus refused", async () => {
    await using server = await EchoServer.open({ limits: { maxConcurrentStreams: 10 } });
    using client = await RawClient.open(server.path);
    assert.equal(client.session.remoteSettings.maxConcurrentStreams, 10);
    const calls = Array.from({ length: 30 }, () => {
      const call = client.start("Talk");
      call.write(frame("a"));
      return call;
    });
    await Promise.all(calls.slice(0, 10).map((call) => once(call, "data")));
    assert.ok(server.rpc.callCount <= 10);
    await assertServes(server);
  });

  it("by rapid reset ends the connection before it costs anything", async () => {
    await using server = await EchoServer.open();
    using client = await RawClient.open(server.path);
    let started = 0;
    while (!client.session.destroyed && started < 100_000) {
      for (let i = 0; i < 50 && !client.session.destroyed; i++) {
        started += 1;
        client.start("Repeat").close(constants.NGHTTP2_CANCEL);
      }
      await turn();
    }
    assert.ok(started < 5_000, `the server took ${started} resets`);
    assert.notEqual(client.goawayCode, constants.NGHTTP2_NO_ERROR);
    await assertServes(server);
  });

  it("by a flood of headers costs the caller the call", async () => {
    await using server = await EchoServer.open();
    using client = await RawClient.open(server.path);
    const many = Object.fromEntries(Array.from({ length: 500 }, (_, i) => [`x-${i}`, "y"]));
    const call = client.start("Say", many);
    call.end(frame("hello"));
    await closing(call);
    assert.notEqual(call.rstCode, constants.NGHTTP2_NO_ERROR);
    await assertServes(server);
  });

  it("by headers that never end costs the caller the connection", async () => {
    await using server = await EchoServer.open();
    const socket = connect(server.path);
    socket.on("error", () => {});
    socket.resume();
    socket.write("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
    socket.write(http2Frame(0x4, 0, 0, Buffer.alloc(0)));
    socket.write(http2Frame(0x1, 0, 1, Buffer.alloc(0)));
    const closed = closing(socket);
    const chunk = http2Frame(
      0x9,
      0,
      1,
      Buffer.concat(Array(60).fill(literalHeader("k", "v".repeat(200)))),
    );
    let sent = 0;
    while (!socket.destroyed && sent < 64 * 1024 * 1024) {
      socket.write(chunk);
      sent += chunk.length;
      await turn();
    }
    await closed;
    assert.ok(sent < 1024 * 1024, `the server took ${sent} bytes of headers`);
    await assertServes(server);
  });

  it("by a flood of pings costs the caller the connection", async () => {
    await using server = await EchoServer.open();
    const socket = connect(server.path);
    socket.on("error", () => {});
    const closed = closing(socket);
    socket.write("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
    socket.write(http2Frame(0x4, 0, 0, Buffer.alloc(0)));
    const ping = http2Frame(0x6, 0, 0, Buffer.alloc(8));
    const flood = Buffer.concat(Array(1000).fill(ping));
    let sent = 0;
    // The answers are never read.
    while (!socket.destroyed && sent < 64 * 1024 * 1024) {
      socket.write(flood);
      sent += flood.length;
      await turn();
    }
    await closed;
    assert.ok(sent < 8 * 1024 * 1024, `the server took ${sent} bytes of pings`);
    await assertServes(server);
  });

  it("by plain HTTP/1 or noise costs the caller the connection", async () => {
    await using server = await EchoServer.open();
    for (const noise of [
      "GET / HTTP/1.1\r\nHost: x\r\n\r\n",
      "\u0000".repeat(1000),
      "PRI * HTTP/2.0\r\n",
    ]) {
      const socket = connect(server.path);
      socket.on("error", () => {});
      socket.resume();
      socket.end(noise);
      await once(socket, "close");
    }
    await assertServes(server);
    await eventually(
      "the noisy ones to be gone",
      () => server.rpc.connectionCount === 1 || undefined,
    );
  });
});

/** Resolves at "close", whatever errors come before. */
function closing(emitter: EventEmitter): Promise<void> {
  return new Promise((resolve) => {
    emitter.once("close", () => resolve());
  });
}

function http2Frame(type: number, flags: number, stream: number, payload: Buffer): Buffer {
  const head = Buffer.alloc(9);
  head.writeUIntBE(payload.length, 0, 3);
  head.writeUInt8(type, 3);
  head.writeUInt8(flags, 4);
  head.writeUInt32BE(stream, 5);
  return Buffer.concat([head, payload]);
}

/** HPACK (RFC 7541 6.2.2): a literal header field without indexing. The value must be longer than 126 and shorter than 255 bytes. */
function literalHeader(name: string, value: string): Buffer {
  const length = Buffer.from([0x7f, value.length - 127]);
  return Buffer.concat([
    Buffer.from([0, name.length]),
    Buffer.from(name),
    length,
    Buffer.from(value),
  ]);
}
