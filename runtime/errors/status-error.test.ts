import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { invalidArgument, notFound, Status, StatusError, statusName } from "./status-error.ts";

describe("StatusError", () => {
  it("carries code, message, reason, details and a private cause", () => {
    const cause = new Error("disk full");
    const details = [{ typeUrl: "type.googleapis.com/x.Y", value: new Uint8Array([1]) }];
    const err = notFound("entry not found", { reason: "no_entry", details, cause });
    assert.ok(err instanceof StatusError);
    assert.equal(err.code, Status.NOT_FOUND);
    assert.equal(err.message, "entry not found");
    assert.equal(err.reason, "no_entry");
    assert.deepEqual(err.details, details);
    assert.equal(err.cause, cause);
  });

  it("has no reason and no details unless given", () => {
    const err = invalidArgument("csr: missing");
    assert.equal(err.reason, undefined);
    assert.deepEqual(err.details, []);
    assert.equal("cause" in err, false);
  });
});

describe("statusName", () => {
  it("names every code of the standard and numbers the others", () => {
    for (const [name, code] of Object.entries(Status)) assert.equal(statusName(code), name);
    assert.equal(statusName(99), "CODE_99");
  });
});
