import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { notFound } from "./errors/status-error.ts";
import { createLogger, type Logger, type LogLevel } from "./log.ts";

const start = (level: LogLevel, format: "json" | "text" = "json") => {
  const lines: string[] = [];
  const log = createLogger({ level, format, destination: { write: (line) => lines.push(line) } });
  const records = (): Record<string, unknown>[] => lines.map((line) => JSON.parse(line));
  return { log, lines, records };
};

describe("createLogger", () => {
  it("writes JSON lines with an RFC 3339 time in UTC, the level's name and the fields", () => {
    const { log, records } = start("info");
    log.info({ entry_id: "e1" }, "Created entry");
    log.warn("Clock jumped");
    const [first, second] = records();
    assert.match(String(first?.["time"]), /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
    assert.deepEqual(
      { ...first, time: "" },
      { time: "", level: "info", entry_id: "e1", msg: "Created entry" },
    );
    assert.equal(second?.["msg"], "Clock jumped");
  });

  it("adds a child's fields to its parent's", () => {
    const { log, records } = start("debug");
    log.child({ component: "ca" }).child({ authority_id: "a" }).debug("Prepared");
    assert.equal(records()[0]?.["component"], "ca");
    assert.equal(records()[0]?.["authority_id"], "a");
  });

  it("changes the level of the whole family at run time, children that exist included", () => {
    const { log, lines } = start("info");
    const child = log.child({ component: "ca" });
    child.debug("Hidden");
    log.level = "debug";
    child.debug("Shown");
    assert.equal(child.level, "debug");
    child.level = "error";
    log.warn("Hidden");
    assert.equal(lines.length, 1);
  });

  it("refuses a level that does not exist", () => {
    const { log } = start("info");
    const set = (target: Logger): void => {
      target.level = "loud";
    };
    assert.throws(() => set(log), { name: "RangeError", message: 'unknown log level "loud"' });
  });

  it("redacts values of secret keys at the top and one level below", () => {
    const { log, lines } = start("info");
    log.info({ token: "s3cret", request: { csr: "s3cret", jwt: "s3cret" } }, "Received");
    log.child({ private_key: "s3cret" }).info("Received");
    assert.ok(!lines.join("").includes("s3cret"));
    assert.match(lines.join(""), /\[redacted\]/);
  });

  it("writes an error's cause chain and stack, but none of its other properties", () => {
    const { log, lines, records } = start("info");
    const err = Object.assign(new Error("outer", { cause: new Error("inner") }), { pin: "1234" });
    log.error({ err }, "Failed");
    const written = records()[0]?.["err"];
    assert.ok(typeof written === "object" && written !== null && "message" in written);
    assert.equal(written.message, "outer: inner");
    assert.ok("stack" in written);
    assert.ok(!lines.join("").includes("1234"));
  });

  it("writes a status by its code's name, without a stack", () => {
    const { log, records } = start("info");
    log.error({ err: notFound("no such entry") }, "Refused");
    assert.deepEqual(records()[0]?.["err"], {
      type: "StatusError",
      message: "no such entry",
      code: "NOT_FOUND",
    });
  });

  it("writes text for people when asked", () => {
    const { log, lines } = start("info", "text");
    log.info({ entry_id: "e1" }, "Created entry");
    assert.match(lines[0] ?? "", /^\S+Z INFO {2}Created entry entry_id=e1\n$/);
  });
});
