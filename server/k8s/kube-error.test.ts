import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { errorOfAnswer } from "./kube-error.ts";

describe("errorOfAnswer", () => {
  for (const [status, body, code] of [
    [404, '{"reason":"NotFound","message":"pods \\"web\\" not found"}', "not_found"],
    [409, '{"reason":"AlreadyExists"}', "already_exists"],
    [409, '{"reason":"Conflict"}', "conflict"],
    [401, "", "unauthorized"],
    [403, "<html>", "forbidden"],
    [410, "null", "gone"],
    [422, "[]", "invalid"],
    [429, "{}", "unavailable"],
    [500, "{}", "unavailable"],
    [302, "", "unavailable"],
    [Number.NaN, "{}", "unavailable"],
  ] as const) {
    it(`takes ${status} with ${body || "nothing"} for ${code}`, () => {
      assert.equal(errorOfAnswer({ what: "get pods web", status, body }).code, code);
    });
  }

  it("says what the API server said, shortened", () => {
    const body = JSON.stringify({ message: "x".repeat(10_000) });
    const { message } = errorOfAnswer({ what: "get pods web", status: 404, body });
    assert.match(message, /^get pods web: the API server answered 404: x+$/);
    assert.ok(message.length < 600);
  });

  for (const [retryAfter, ms] of [
    ["2", 2000],
    ["86400", 60_000],
    ["-1", undefined],
    ["soon", undefined],
    [undefined, undefined],
  ] as const) {
    it(`reads Retry-After ${retryAfter} as ${ms}`, () => {
      const err = errorOfAnswer({ what: "w", status: 429, body: "", retryAfter });
      assert.equal(err.retryAfterMs, ms);
    });
  }
});
