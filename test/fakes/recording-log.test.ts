import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { RecordingLog } from "./recording-log.ts";

describe("RecordingLog", () => {
  it("keeps fields and messages, also of child loggers", () => {
    const recording = new RecordingLog();
    recording.log.debug("Not worth telling");
    recording.log.child({ component: "ca" }).warn({ attempt: 2 }, "Tried again");
    recording.log.error("Gave up");
    assert.deepEqual(recording.messages(), ["Tried again", "Gave up"]);
    assert.deepEqual(recording.messages("error"), ["Gave up"]);
    assert.equal(recording.lines[1]?.["component"], "ca");
    assert.equal(recording.lines[1]?.["attempt"], 2);
  });
});
