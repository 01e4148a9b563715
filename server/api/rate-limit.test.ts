import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { fromBinary } from "@bufbuild/protobuf";
import { RetryInfoSchema } from "../../proto/gen/google/rpc/error_details_pb.ts";
import { StatusError } from "../../runtime/errors/status-error.ts";
import { FakeClock } from "../../test/fakes/fake-clock.ts";
import { ratesSchema } from "../config/limits.ts";
import { RateLimiter } from "./rate-limit.ts";

const rates = ratesSchema.parse({ attest: { perSecond: 2, burst: 3 } });

const open = () => {
  const clock = new FakeClock();
  return { clock, limiter: new RateLimiter({ clock, rates }) };
};

const refusal = (act: () => void): StatusError => {
  let found: unknown;
  assert.throws(act, (err) => {
    found = err;
    return err instanceof StatusError;
  });
  assert.ok(found instanceof StatusError);
  return found;
};

describe("RateLimiter", () => {
  it("lets a burst through and then says when to try again", async () => {
    const { clock, limiter } = open();
    for (let i = 0; i < 3; i++) limiter.take("a", "attest");
    const err = refusal(() => limiter.take("a", "attest"));
    assert.equal(err.code, 8);
    assert.equal(err.reason, "rate_limited");
    assert.equal(err.message, "rate limit for attest reached (2 a second), try again in 500 ms");
    const [detail] = err.details;
    assert.equal(detail?.typeUrl, "type.googleapis.com/google.rpc.RetryInfo");
    const { retryDelay } = fromBinary(RetryInfoSchema, detail?.value ?? new Uint8Array());
    assert.deepEqual([retryDelay?.seconds, retryDelay?.nanos], [0n, 500_000_000]);
    await clock.advance(500);
    limiter.take("a", "attest");
  });

  it("counts each caller and each class by itself", () => {
    const { limiter } = open();
    limiter.take("a", "attest", 3);
    limiter.take("b", "attest", 3);
    limiter.take("a", "read");
  });

  it("takes nothing for a batch that does not fit", () => {
    const { limiter } = open();
    limiter.take("a", "attest");
    assert.equal(refusal(() => limiter.take("a", "attest", 3)).reason, "rate_limited");
    limiter.take("a", "attest", 2);
  });

  it("says so when a batch can never fit", () => {
    const { limiter } = open();
    const err = refusal(() => limiter.take("a", "attest", 4));
    assert.equal(err.reason, "batch_too_large");
    assert.equal(err.message, "a batch of 4 is larger than the limit for attest, 3 at once");
  });

  it("applies new rates to buckets that are in use", async () => {
    const { clock, limiter } = open();
    limiter.take("a", "attest", 3);
    limiter.setRates(ratesSchema.parse({ attest: { perSecond: 1000, burst: 3 } }));
    await clock.advance(1);
    limiter.take("a", "attest");
  });

  it("stays bounded under a flood of callers", () => {
    const { limiter } = open();
    for (let i = 0; i < 120_000; i++) limiter.take(`caller ${i}`, "attest", 2);
    limiter.take("caller 119999", "attest");
    assert.equal(refusal(() => limiter.take("caller 119999", "attest")).reason, "rate_limited");
  });
});
