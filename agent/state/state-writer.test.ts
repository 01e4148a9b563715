import assert from "node:assert/strict";
import { readdir, rm, writeFile } from "node:fs/promises";
import { describe, it } from "node:test";
import { FakeClock } from "../../test/fakes/fake-clock.ts";
import { RecordingLog } from "../../test/fakes/recording-log.ts";
import { eventually } from "../../test/support/eventually.ts";
import { TempDir } from "../../test/support/temp-dir.ts";
import { readStateFile } from "./state-file.ts";
import { StateWriter } from "./state-writer.ts";

function setUp(path: string) {
  const clock = new FakeClock();
  const recording = new RecordingLog();
  const state = { text: "", collected: 0 };
  const writer = new StateWriter({
    path,
    clock,
    log: recording.log,
    collect: () => {
      state.collected += 1;
      return [Buffer.from(state.text)];
    },
  });
  const stored = async () => {
    const content = await readStateFile(path);
    return content.kind === "intact" ? Buffer.from(content.body).toString() : content.kind;
  };
  return { clock, writer, state, stored, recording };
}

describe("StateWriter", () => {
  it("has written everything that changed before flush when it resolves", async () => {
    await using dir = await TempDir.open();
    const { writer, state, stored } = setUp(dir.join("state"));
    state.text = "one";
    const first = writer.flush();
    state.text = "two";
    await Promise.all([first, writer.flush(), writer.flush()]);
    assert.equal(await stored(), "two");
    assert.ok(state.collected <= 2, "flushes that wait share a write");
  });

  it("gathers additions before it writes them", async () => {
    await using dir = await TempDir.open();
    const { clock, writer, state, stored } = setUp(dir.join("state"));
    for (const text of ["a", "b", "c"]) {
      state.text = text;
      writer.touch();
    }
    assert.equal(await stored(), "absent");
    await clock.advance(500);
    await writer.flush();
    assert.equal(await stored(), "c");
    assert.ok(state.collected <= 2);
  });

  it("gathers for longer what has an earlier one in the file, unless something else comes", async () => {
    await using dir = await TempDir.open();
    const { clock, writer, state } = setUp(dir.join("state"));
    const written = (count: number) =>
      eventually(`write ${count}`, () => (state.collected === count ? true : undefined));
    writer.touchRenewed();
    await clock.advance(4_999);
    assert.equal(state.collected, 0);
    await clock.advance(1);
    await written(1);
    writer.touchRenewed();
    await clock.advance(1_000);
    writer.touch();
    await clock.advance(499);
    assert.equal(state.collected, 1);
    await clock.advance(1);
    await written(2);
    await clock.advance(10_000);
    assert.equal(state.collected, 2, "what was gathered is written once");
  });

  it("writes nothing of its own for what a flush has written", async () => {
    await using dir = await TempDir.open();
    const { clock, writer, state } = setUp(dir.join("state"));
    writer.touch();
    await writer.flush();
    await clock.advance(10_000);
    await writer[Symbol.asyncDispose]();
    assert.equal(state.collected, 1);
  });

  it("tries again what could not be written", async () => {
    await using dir = await TempDir.open();
    await writeFile(dir.join("file"), "");
    const { clock, writer, state, recording } = setUp(dir.join("file", "state"));
    await assert.rejects(writer.flush());
    await rm(dir.join("file"));
    await clock.advance(5_000);
    await writer[Symbol.asyncDispose]();
    assert.equal(state.collected, 2);
    assert.deepEqual(recording.messages("error"), []);
  });

  it("writes what it has gathered when it is closed", async () => {
    await using dir = await TempDir.open();
    const { writer, state, stored } = setUp(dir.join("state"));
    state.text = "last";
    writer.touch();
    await writer[Symbol.asyncDispose]();
    assert.equal(await stored(), "last");
    assert.deepEqual(await readdir(dir.path), ["state"]);
  });

  it("tells who waits, and the log, that it cannot write, and goes on", async () => {
    await using dir = await TempDir.open();
    await writeFile(dir.join("file"), "");
    const { clock, writer, recording } = setUp(dir.join("file", "state"));
    await assert.rejects(writer.flush());
    writer.touch();
    await clock.advance(500);
    await writer[Symbol.asyncDispose]();
    assert.ok(recording.messages("error").includes("State file cannot be written"));
  });
});
