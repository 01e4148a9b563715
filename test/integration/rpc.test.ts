// Calls of every kind between our client and our server over a real Unix socket: answers, refusals, endings.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import { Health } from "../../proto/gen/grpc/health/v1/health_pb.ts";
import {
  permissionDenied,
  resourceExhausted,
  Status,
  StatusError,
} from "../../runtime/errors/status-error.ts";
import { Feed } from "../../runtime/feed.ts";
import type { CallContext } from "../../runtime/rpc/call-context.ts";
import { openChannel } from "../../runtime/rpc/channel.ts";
import { createClient } from "../../runtime/rpc/client.ts";
import { retryDelayMs, retryInfo } from "../../runtime/rpc/status-details.ts";
import { EchoServer } from "../support/echo/echo-server.ts";
import { Echo, type Words } from "../support/echo/gen/echo_pb.ts";
import { frame, RawClient, statusOf } from "../support/echo/raw-client.ts";

const never = new AbortController().signal;
const options = { signal: never, timeoutMs: 60_000 };

async function* words(...texts: string[]): AsyncGenerator<{ text: string }, void, undefined> {
  for (const text of texts) yield { text };
}

async function texts(stream: AsyncIterable<Words>): Promise<string[]> {
  const result: string[] = [];
  for await (const { text } of stream) result.push(text);
  return result;
}

function status(code: number, message: string | RegExp) {
  return { name: "StatusError", code, message };
}

describe("answers", () => {
  it("come for each kind of method", async () => {
    await using server = await EchoServer.open();
    const { client } = server;
    assert.equal((await client.say({ text: "hello" }, options)).text, "hello");
    assert.deepEqual(await texts(client.repeat({ text: "a b c" }, options)), ["a", "b", "c"]);
    assert.equal((await client.join(words("a", "b"), options)).text, "a b");
    assert.deepEqual(await texts(client.talk(words("a", "b"), options)), ["A", "B"]);
  });

  it("come when a stream of requests is empty", async () => {
    await using server = await EchoServer.open();
    assert.equal((await server.client.join(words(), options)).text, "");
    assert.deepEqual(await texts(server.client.talk(words(), options)), []);
  });

  it("may come before the requests have ended", async () => {
    await using server = await EchoServer.open({
      handlers: {
        async *talk(requests) {
          for await (const { text } of requests) {
            yield { text };
            return;
          }
        },
      },
    });
    const endless = async function* () {
      for (;;) yield await turn({ text: "again" });
    };
    assert.deepEqual(await texts(server.client.talk(endless(), options)), ["again"]);
  });

  it("carry byte fields as plain Uint8Arrays in both directions", async () => {
    let received: Uint8Array | undefined;
    await using server = await EchoServer.open({
      handlers: {
        say: async ({ ballast }) => {
          received = ballast;
          return { ballast };
        },
      },
    });
    const ballast = new Uint8Array([1, 2, 3]);
    const answer = await server.client.say({ ballast }, options);
    assert.deepEqual(received, ballast);
    assert.deepEqual(answer.ballast, ballast);
  });
});

describe("the call context", () => {
  it("names method, caller, connection and request, and shows metadata and deadline", async () => {
    let seen: CallContext<{ name: string }> | undefined;
    await using server = await EchoServer.open({
      handlers: {
        say: async (_request, ctx) => {
          seen = ctx;
          assert.ok(ctx.deadlineMs !== undefined && ctx.deadlineMs > 0 && ctx.deadlineMs <= 60_000);
          return {};
        },
      },
    });
    await server.client.say({}, { ...options, metadata: { "workload.spiffe.io": "true" } });
    assert.equal(seen?.method, "/assay.test.echo.Echo/Say");
    assert.equal(seen.caller.name, "c1");
    assert.equal(seen.connectionId, "c1");
    assert.match(seen.requestId, /^[0-9a-f]{12}-1$/);
    assert.deepEqual(seen.metadata.get("workload.spiffe.io"), ["true"]);
    assert.equal(seen.metadata.get("absent"), undefined);
  });

  it("puts request id and method into each log line", async () => {
    await using server = await EchoServer.open({
      handlers: {
        say: async (_request, ctx) => {
          ctx.log.info("Heard");
          return { text: ctx.requestId };
        },
      },
    });
    const { text } = await server.client.say({}, options);
    const [line] = server.logged;
    assert.equal(line?.["request_id"], text);
    assert.equal(line["rpc_method"], "/assay.test.echo.Echo/Say");
  });
});

describe("refusals", () => {
  it("reach the caller with code, message, reason and details", async () => {
    await using server = await EchoServer.open({
      handlers: {
        say: async () => {
          throw resourceExhausted("too many: \u{1F6AB}", {
            reason: "rate_limit",
            details: [retryInfo(1500)],
            cause: new Error("not for the caller"),
          });
        },
      },
    });
    const err = await server.client.say({}, options).catch((thrown: unknown) => thrown);
    assert.ok(err instanceof StatusError);
    assert.equal(err.code, Status.RESOURCE_EXHAUSTED);
    assert.equal(err.message, "too many: \u{1F6AB}");
    assert.equal(err.reason, "rate_limit");
    assert.equal(retryDelayMs(err), 1500);
    assert.equal(err.cause, undefined);
  });

  it("reach the caller of a stream behind what was sent before", async () => {
    await using server = await EchoServer.open({
      handlers: {
        async *repeat() {
          yield { text: "one" };
          throw permissionDenied("no more", { reason: "revoked" });
        },
      },
    });
    const received: string[] = [];
    const reading = (async () => {
      for await (const { text } of server.client.repeat({}, options)) received.push(text);
    })();
    await assert.rejects(reading, {
      ...status(Status.PERMISSION_DENIED, "no more"),
      reason: "revoked",
    });
    assert.deepEqual(received, ["one"]);
  });

  for (const [name, thrown] of [
    ["an error", new Error("database password is hunter2")],
    ["a value that is no error", { secret: "hunter2" }],
    ["a TypeError", new TypeError("hunter2")],
  ] as const) {
    it(`say nothing but the request id when a handler throws ${name}, and log it once`, async () => {
      await using server = await EchoServer.open({
        handlers: {
          say: async () => {
            throw thrown;
          },
        },
      });
      await assert.rejects(
        server.client.say({}, options),
        status(Status.INTERNAL, /^internal error \(request [0-9a-f]{12}-1\)$/),
      );
      assert.equal(server.logged.length, 1);
      assert.equal(server.logged[0]?.["level"], "error");
      assert.match(String(server.logged[0]?.["request_id"]), /-1$/);
    });
  }

  it("survive a message that cannot be percent-encoded", async () => {
    await using server = await EchoServer.open({
      handlers: {
        say: async () => {
          throw permissionDenied("half a pair: \ud83d");
        },
      },
    });
    await assert.rejects(
      server.client.say({}, options),
      status(Status.PERMISSION_DENIED, "half a pair: \ufffd"),
    );
  });

  it("name a response that cannot be encoded as our fault", async () => {
    await using server = await EchoServer.open({
      // A number where the schema says bytes: what a bug in a handler looks like.
      handlers: { say: async () => JSON.parse('{"ballast": 5}') },
    });
    await assert.rejects(server.client.say({}, options), { code: Status.INTERNAL });
  });

  it("tell a caller of an unknown service so", async () => {
    await using server = await EchoServer.open();
    const health = createClient(Health, server.channel);
    await assert.rejects(health.check({}, options), { code: Status.UNIMPLEMENTED });
  });
});

describe("endings", () => {
  it("by the caller abort the handler and fail the call with the caller's reason", async () => {
    const reason = Promise.withResolvers<unknown>();
    const entered = Promise.withResolvers<void>();
    await using server = await EchoServer.open({
      handlers: {
        say: (_request, { signal }) =>
          new Promise((_resolve, reject) => {
            signal.addEventListener("abort", () => {
              reason.resolve(signal.reason);
              reject(signal.reason);
            });
            entered.resolve();
          }),
      },
    });
    const controller = new AbortController();
    const why = new Error("changed my mind");
    const calling = server.client.say({}, { ...options, signal: controller.signal });
    await entered.promise;
    controller.abort(why);
    await assert.rejects(calling, { ...status(Status.CANCELLED, "call cancelled"), cause: why });
    const seen = await reason.promise;
    assert.ok(seen instanceof StatusError);
    assert.equal(seen.code, Status.CANCELLED);
    assert.deepEqual(server.logged, []);
  });

  it("before the start make no call", async () => {
    await using server = await EchoServer.open();
    const signal = AbortSignal.abort(new Error("too late"));
    const cancelled = status(Status.CANCELLED, "call cancelled");
    await assert.rejects(server.client.say({}, { ...options, signal }), cancelled);
    await assert.rejects(texts(server.client.repeat({}, { signal })), cancelled);
    await assert.rejects(server.client.join(words(), { ...options, signal }), cancelled);
    await assert.rejects(texts(server.client.talk(words(), { signal })), cancelled);
    assert.equal(server.rpc.connectionCount, 0);
  });

  it("by the deadline abort the handler", async () => {
    const reason = Promise.withResolvers<unknown>();
    await using server = await EchoServer.open({
      handlers: {
        say: (_request, { signal }) =>
          new Promise((_resolve, reject) => {
            signal.addEventListener("abort", () => {
              reason.resolve(signal.reason);
              reject(signal.reason);
            });
          }),
      },
    });
    // A client that leaves it to the server: ours would cancel in the same moment.
    using client = await RawClient.open(server.path);
    const call = client.start("Say", { "grpc-timeout": "20m" });
    call.end(frame(""));
    assert.equal((await statusOf(call)).code, Status.DEADLINE_EXCEEDED);
    const seen = await reason.promise;
    assert.ok(seen instanceof StatusError);
    assert.equal(seen.code, Status.DEADLINE_EXCEEDED);
  });

  it("by the deadline fail the call even if the server does not answer", async () => {
    await using server = await EchoServer.open({ handlers: { say: () => new Promise(() => {}) } });
    await assert.rejects(server.client.say({}, { signal: never, timeoutMs: 20 }), {
      code: Status.DEADLINE_EXCEEDED,
    });
  });

  it("of the reading end the stream's generator", async () => {
    const ended = Promise.withResolvers<void>();
    await using server = await EchoServer.open({
      handlers: {
        async *repeat(_request, { signal }) {
          try {
            for await (const text of new Feed("first").subscribe(signal)) yield { text };
          } finally {
            ended.resolve();
          }
        },
      },
    });
    for await (const { text } of server.client.repeat({}, { signal: never })) {
      assert.equal(text, "first");
      break;
    }
    await ended.promise;
  });

  it("of a stream of requests by an error cancel the call and show that error", async () => {
    await using server = await EchoServer.open();
    const failing = async function* () {
      yield { text: "one" };
      throw new Error("source failed");
    };
    await assert.rejects(server.client.join(failing(), options), /source failed/);
    await assert.rejects(texts(server.client.talk(failing(), options)), /source failed/);
  });

  it("by closing the connection abort its calls at once, and no others", async () => {
    const contexts: CallContext[] = [];
    const entered = Promise.withResolvers<void>();
    await using server = await EchoServer.open({
      handlers: {
        async *repeat(_request, ctx) {
          contexts.push(ctx);
          if (contexts.length === 2) entered.resolve();
          for await (const text of new Feed("x").subscribe(ctx.signal)) yield { text };
        },
      },
    });
    const otherChannel = openChannel({ target: `unix:${server.path}` });
    const first = texts(server.client.repeat({}, { signal: never }));
    const others = new AbortController();
    const second = texts(createClient(Echo, otherChannel).repeat({}, { signal: others.signal }));
    await entered.promise;
    const [victim, bystander] = contexts;
    assert.ok(victim !== undefined && bystander !== undefined);
    server.rpc.closeConnection(victim.connectionId);
    assert.equal(victim.signal.aborted, true);
    assert.equal(bystander.signal.aborted, false);
    const ends = victim.connectionId === "c1" ? first : second;
    if (ends === first) await assert.rejects(first, { code: Status.UNAVAILABLE });
    others.abort();
    await assert.rejects(second);
    await first.catch(() => {});
    otherChannel.close();
  });
});

describe("interceptors", () => {
  it("wrap calls of every kind in the order of their list, and see how they end", async () => {
    const seen: string[] = [];
    await using server = await EchoServer.open({
      interceptors: ["outer", "inner"].map((name) => async (call, next) => {
        seen.push(`${name} before ${call.method.name}`);
        try {
          await next();
          seen.push(`${name} after ${call.method.name}`);
        } catch (err) {
          seen.push(`${name} failed ${call.method.name}`);
          throw err;
        }
      }),
      handlers: {
        talk() {
          throw permissionDenied("no talking");
        },
      },
    });
    const { client } = server;
    const expectOnion = (method: string, end: string): void => {
      assert.deepEqual(seen.splice(0), [
        `outer before ${method}`,
        `inner before ${method}`,
        `inner ${end} ${method}`,
        `outer ${end} ${method}`,
      ]);
    };
    await client.say({}, options);
    expectOnion("Say", "after");
    await texts(client.repeat({ text: "a b" }, options));
    expectOnion("Repeat", "after");
    await client.join(words("a"), options);
    expectOnion("Join", "after");
    await assert.rejects(texts(client.talk(words("a"), options)));
    expectOnion("Talk", "failed");
  });

  it("see the request, and the response of a unary call", async () => {
    const seen: unknown[] = [];
    await using server = await EchoServer.open({
      interceptors: [
        async (call, next) => {
          assert.equal("response" in call, false);
          await next();
          seen.push(call.request?.$typeName, call.response?.$typeName);
        },
      ],
    });
    await server.client.say({ text: "a" }, options);
    assert.deepEqual(seen, ["assay.test.echo.Words", "assay.test.echo.Words"]);
  });

  it("refuse a call before its handler runs", async () => {
    let ran = false;
    await using server = await EchoServer.open({
      interceptors: [
        async () => {
          throw permissionDenied("not you");
        },
      ],
      handlers: {
        say: async () => {
          ran = true;
          return {};
        },
      },
    });
    await assert.rejects(
      server.client.say({}, options),
      status(Status.PERMISSION_DENIED, "not you"),
    );
    assert.equal(ran, false);
  });
});

describe("draining", () => {
  it("lets a call end, ends streams as unavailable, and takes no more connections", async () => {
    const inCall = Promise.withResolvers<void>();
    const answer = Promise.withResolvers<void>();
    const inStream = Promise.withResolvers<void>();
    await using server = await EchoServer.open({
      handlers: {
        say: async () => {
          inCall.resolve();
          await answer.promise;
          return { text: "done" };
        },
        async *repeat(_request, { signal }) {
          inStream.resolve();
          for await (const text of new Feed("x").subscribe(signal)) yield { text };
        },
      },
    });
    const calling = server.client.say({}, options);
    const streaming = texts(server.client.repeat({}, { signal: never }));
    await Promise.all([inCall.promise, inStream.promise]);
    const draining = server.rpc.drain(60_000);
    await assert.rejects(streaming, status(Status.UNAVAILABLE, "server is shutting down"));
    answer.resolve();
    assert.equal((await calling).text, "done");
    await draining;
    assert.equal(server.rpc.connectionCount, 0);
  });

  it("cuts off what has not ended when the time is over", async () => {
    const inCall = Promise.withResolvers<void>();
    await using server = await EchoServer.open({
      handlers: {
        say: () => {
          inCall.resolve();
          return new Promise(() => {});
        },
      },
    });
    const calling = server.client.say({}, options);
    await inCall.promise;
    const cut = assert.rejects(calling, { code: Status.UNAVAILABLE });
    await server.rpc.drain(10);
    await cut;
  });
});
