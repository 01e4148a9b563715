import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { alreadyExists, notFound, permissionDenied, unavailable } from "../errors/status-error.ts";
import { CliError, ExitCode, exitCodeOf, usageError } from "./exit-code.ts";
import { reportFailure } from "./report-failure.ts";

describe("exitCodeOf", () => {
  const cases = [
    { name: "not found", err: notFound("no such entry"), want: ExitCode.notFound },
    { name: "refused", err: permissionDenied("no"), want: ExitCode.refused },
    { name: "away", err: unavailable("away"), want: ExitCode.unavailable },
    { name: "conflict", err: alreadyExists("there"), want: ExitCode.conflict },
    { name: "usage", err: usageError("bad flag"), want: ExitCode.usage },
    { name: "anything else", err: new Error("boom"), want: ExitCode.failed },
  ];
  for (const { name, err, want } of cases) {
    it(`tells ${name}`, () => assert.equal(exitCodeOf(err), want));
  }
});

describe("reportFailure", () => {
  it("names the error, its reason and what to do", () => {
    let text = "";
    const io = {
      write: () => assert.fail("nothing belongs on standard output"),
      writeError: (more: string) => {
        text += more;
      },
      readInput: async () => "",
      env: {},
      signal: new AbortController().signal,
    };
    assert.equal(reportFailure(io, permissionDenied("not yours", { reason: "no_role" })), 4);
    assert.match(text, /^error: not yours\nreason: no_role\nhint: .*assay access can/);
    text = "";
    assert.equal(reportFailure(io, new CliError("cannot read x", { hint: "check x" })), 1);
    assert.equal(text, "error: cannot read x\nhint: check x\n");
  });
});
