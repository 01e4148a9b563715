import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { forEachUntilAborted, writeFrame } from "./message-stream.ts";

const never = new AbortController().signal;

describe("forEachUntilAborted", () => {
  it("takes the next message only when the one before was used", async () => {
    const events: string[] = [];
    const source = async function* () {
      for (const message of ["a", "b"]) {
        events.push(`made ${message}`);
        yield message;
      }
    };
    await forEachUntilAborted(source(), never, async (message) => {
      await Promise.resolve();
      events.push(`used ${message}`);
    });
    assert.deepEqual(events, ["made a", "used a", "made b", "used b"]);
  });

  it("ends with the reason when the signal aborts, though the source is stuck, and tells the source", async () => {
    const controller = new AbortController();
    let returned = false;
    const stuck: AsyncIterable<string> = {
      [Symbol.asyncIterator]: () => ({
        next: () => new Promise(() => {}),
        return: async () => {
          returned = true;
          return { done: true, value: undefined };
        },
      }),
    };
    const running = forEachUntilAborted(stuck, controller.signal, async () => {});
    controller.abort(new Error("enough"));
    await assert.rejects(running, /enough/);
    assert.equal(returned, true);
  });

  it("ends the source when a message cannot be used", async () => {
    let ended = false;
    const source = async function* () {
      try {
        yield 1;
      } finally {
        ended = true;
      }
    };
    const running = forEachUntilAborted(source(), never, async () => {
      throw new Error("unusable");
    });
    await assert.rejects(running, /unusable/);
    assert.equal(ended, true);
  });

  it("passes on what the source throws", async () => {
    const source = async function* () {
      yield 1;
      throw new Error("source failed");
    };
    await assert.rejects(
      forEachUntilAborted(source(), never, async () => {}),
      /source failed/,
    );
  });
});

describe("writeFrame", () => {
  it("resolves when the frame was taken and rejects when it was not", async () => {
    const bytes = Buffer.from("x");
    await writeFrame({ write: (_bytes, callback) => callback() }, bytes);
    const failing = {
      write: (_bytes: Buffer, callback: (err: Error) => void) => callback(new Error("gone")),
    };
    await assert.rejects(writeFrame(failing, bytes), /gone/);
  });
});
