import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { FakeClock } from "../../test/fakes/fake-clock.ts";
import { echoCall } from "../../test/support/echo/echo-call.ts";
import { Echo } from "../../test/support/echo/gen/echo_pb.ts";
import { notFound } from "../errors/status-error.ts";
import { Metrics } from "../metrics.ts";
import { measureCalls } from "./rpc-metrics.ts";

describe("measureCalls", () => {
  it("counts calls by method and status, and times unary ones", async () => {
    const metrics = new Metrics();
    const clock = new FakeClock();
    const measure = measureCalls(metrics, "assay_test", clock);
    await measure(echoCall(Echo.method.say), () => clock.advance(250));
    const failing = measure(echoCall(Echo.method.say), async () => {
      throw notFound("nothing here");
    });
    await assert.rejects(failing, { message: "nothing here" });
    const text = await metrics.text();
    assert.match(
      text,
      /^assay_test_rpc_calls_total\{method="\/assay\.test\.echo\.Echo\/Say",code="OK"\} 1$/m,
    );
    assert.match(
      text,
      /^assay_test_rpc_calls_total\{method="\/assay\.test\.echo\.Echo\/Say",code="NOT_FOUND"\} 1$/m,
    );
    assert.match(
      text,
      /^assay_test_rpc_duration_seconds_sum\{method="\/assay\.test\.echo\.Echo\/Say"\} 0\.25$/m,
    );
  });

  it("shows streams while they last", async () => {
    const metrics = new Metrics();
    const measure = measureCalls(metrics, "assay_test", new FakeClock());
    const end = Promise.withResolvers<void>();
    const stream = measure(echoCall(Echo.method.repeat), () => end.promise);
    assert.match(
      await metrics.text(),
      /^assay_test_rpc_streams\{method="\/assay\.test\.echo\.Echo\/Repeat"\} 1$/m,
    );
    end.resolve();
    await stream;
    assert.match(
      await metrics.text(),
      /^assay_test_rpc_streams\{method="\/assay\.test\.echo\.Echo\/Repeat"\} 0$/m,
    );
    assert.doesNotMatch(await metrics.text(), /rpc_duration_seconds_sum\{/);
  });
});
