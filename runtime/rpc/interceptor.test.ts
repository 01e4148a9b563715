import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { echoCall } from "../../test/support/echo/echo-call.ts";
import { Echo } from "../../test/support/echo/gen/echo_pb.ts";
import { type Interceptor, runInterceptors } from "./interceptor.ts";

const call = echoCall(Echo.method.say);

describe("runInterceptors", () => {
  it("runs what is wrapped when there are none", async () => {
    let ran = false;
    await runInterceptors([], call, async () => {
      ran = true;
    });
    assert.equal(ran, true);
  });

  it("lets an interceptor replace the error of what it wraps", async () => {
    const replacing: Interceptor = async (_call, next) => {
      await next().catch((cause: unknown) => {
        throw new Error("outer", { cause });
      });
    };
    const failing = runInterceptors([replacing], call, async () => {
      throw new Error("inner");
    });
    await assert.rejects(failing, { message: "outer" });
  });
});
