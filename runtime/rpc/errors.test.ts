import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { RecordingLog } from "../../test/fakes/recording-log.ts";
import { internal, invalidArgument, Status, unavailable } from "../errors/status-error.ts";
import { reportFailure, statusCodeOf, toStatusError, toStatusObject } from "./errors.ts";
import { decodeStatusDetails, STATUS_DETAILS_KEY } from "./status-details.ts";

const abortError = Object.assign(new Error("aborted"), { name: "AbortError" });

describe("toStatusError", () => {
  it("leaves a status as it is, even when the call was ended", () => {
    const status = invalidArgument("no");
    assert.equal(toStatusError(status, unavailable("closing"), "r1"), status);
  });

  it("prefers why the call was ended to what came of it", () => {
    const ended = unavailable("closing");
    assert.equal(toStatusError(new Error("premature close"), ended, "r1"), ended);
  });

  it("takes an abort for a cancelled call", () => {
    assert.equal(toStatusError(abortError, undefined, "r1").code, Status.CANCELLED);
    assert.equal(statusCodeOf(abortError), Status.CANCELLED);
  });

  it("hides all else behind the request id", () => {
    const cause = new Error("secret");
    const err = toStatusError(cause, undefined, "r1");
    assert.equal(err.code, Status.INTERNAL);
    assert.equal(err.message, "internal error (request r1)");
    assert.equal(err.cause, cause);
    assert.equal(statusCodeOf(cause), Status.INTERNAL);
  });
});

describe("toStatusObject", () => {
  it("sends no details unless there are some", () => {
    const { metadata } = toStatusObject(invalidArgument("no"), undefined);
    assert.deepEqual(metadata.get(STATUS_DETAILS_KEY), []);
  });

  it("sends details and reason", () => {
    const err = invalidArgument("no", { reason: "bad_csr" });
    const [encoded] = toStatusObject(err, undefined).metadata.get(STATUS_DETAILS_KEY);
    assert.ok(Buffer.isBuffer(encoded));
    assert.equal(decodeStatusDetails(encoded).reason, "bad_csr");
  });

  it("sends a message that fits into a header", () => {
    assert.equal(
      toStatusObject(invalidArgument("x".repeat(100_000)), undefined).details.length,
      4096,
    );
  });
});

describe("reportFailure", () => {
  for (const [name, err, level] of [
    ["an internal error as an error", internal("x", { cause: new Error("bug") }), "error"],
    ["an internal error without a cause too", internal("x"), "error"],
    [
      "what could not be served as a warning",
      unavailable("x", { cause: new Error("down") }),
      "warn",
    ],
    [
      "a refusal with a cause only for those who look",
      invalidArgument("x", { cause: new Error("y") }),
      "debug",
    ],
  ] as const) {
    it(`logs ${name}`, () => {
      const { log, lines } = new RecordingLog();
      reportFailure(log, err);
      assert.deepEqual(
        lines.map((line) => line["level"]),
        [level],
      );
    });
  }

  it("has nothing to say about a refusal without a cause", () => {
    const { log, lines } = new RecordingLog();
    reportFailure(log, invalidArgument("no"));
    reportFailure(log, unavailable("later"));
    assert.deepEqual(lines, []);
  });
});
