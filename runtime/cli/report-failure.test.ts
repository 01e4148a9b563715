import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { unavailable } from "../errors/status-error.ts";
import { reportFailure } from "./report-failure.ts";

function reported(err: unknown): string {
  let text = "";
  const io = {
    write: () => {},
    writeError: (part: string) => {
      text += part;
    },
    readInput: async () => "",
    env: {},
    signal: new AbortController().signal,
  };
  reportFailure(io, err);
  return text;
}

describe("the report of a failure", () => {
  it("asks whether the other side runs when nobody answered", () => {
    assert.match(reported(unavailable("connection refused")), /^hint: is the other side running/m);
  });

  it("does not ask that when the other side gave the reason", () => {
    const err = unavailable("the audit log cannot be written", { reason: "audit_unavailable" });
    assert.equal(
      reported(err),
      "error: the audit log cannot be written\nreason: audit_unavailable\n",
    );
  });
});
