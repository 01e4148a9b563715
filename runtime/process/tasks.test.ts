import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { runTasks } from "./tasks.ts";

const untilAborted = (signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    if (signal.aborted) resolve();
    signal.addEventListener("abort", () => resolve());
  });

describe("runTasks", () => {
  it("resolves once the signal aborts and every task has ended", async () => {
    const controller = new AbortController();
    let ended = 0;
    const task = async (signal: AbortSignal): Promise<void> => {
      await untilAborted(signal);
      ended += 1;
    };
    const running = runTasks({ a: task, b: task }, controller.signal);
    controller.abort();
    await running;
    assert.equal(ended, 2);
  });

  it("aborts the others when one fails and reports that one by name", async () => {
    const cause = new Error("port in use");
    let othersEnded = false;
    const running = runTasks(
      {
        other: async (signal) => {
          await untilAborted(signal);
          othersEnded = true;
          throw new Error("a consequence");
        },
        listener: async () => {
          throw cause;
        },
      },
      new AbortController().signal,
    );
    await assert.rejects(running, { message: "running listener", cause });
    assert.equal(othersEnded, true);
  });

  it("lets the others run on when one returns", async () => {
    const controller = new AbortController();
    let sawAbort = false;
    const running = runTasks(
      {
        once: async () => {},
        loop: async (signal) => {
          await Promise.resolve();
          assert.equal(signal.aborted, false);
          await untilAborted(signal);
          sawAbort = true;
        },
      },
      controller.signal,
    );
    setImmediate(() => controller.abort());
    await running;
    assert.equal(sawAbort, true);
  });

  it("resolves at once without tasks", async () => {
    await runTasks({}, new AbortController().signal);
  });
});
