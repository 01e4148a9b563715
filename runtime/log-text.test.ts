import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { formatLogLine } from "./log-text.ts";

describe("formatLogLine", () => {
  it("puts time, level and message first, then the fields", () => {
    const line =
      '{"level":"warn","time":"2026-01-01T00:00:00.000Z","attempt":2,"msg":"Retrying"}\n';
    assert.equal(formatLogLine(line), "2026-01-01T00:00:00.000Z WARN  Retrying attempt=2\n");
  });

  it("quotes values that could be taken for fields or lines", () => {
    const line = JSON.stringify({ level: "info", msg: "m", path: "a b=c\nd" });
    assert.equal(formatLogLine(line), 'INFO  m path="a b=c\\nd"\n');
  });

  it("shows an error by its message", () => {
    const line = JSON.stringify({
      level: "info",
      msg: "m",
      err: { message: "disk full", stack: "..." },
    });
    assert.equal(formatLogLine(line), 'INFO  m err="disk full"\n');
  });

  it("passes what is not a JSON object unchanged", () => {
    assert.equal(formatLogLine("hello\n"), "hello\n");
    assert.equal(formatLogLine("1\n"), "1\n");
  });
});
