import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { StreamWatch } from "./stream-watch.ts";

suite("StreamWatch", () => {
  test("waits for a message that fits, whether it came before or comes later", async () => {
    let send: (n: number) => void = () => {};
    await using watch = new StreamWatch<number>(async function* (signal) {
      yield 1;
      while (!signal.aborted)
        yield await new Promise<number>((resolve) => {
          send = resolve;
          signal.addEventListener("abort", () => resolve(0), { once: true });
        });
    });
    assert.equal(await watch.until((n) => n === 1), 1);
    const later = watch.until((n) => n === 2);
    await new Promise((resolve) => setImmediate(resolve));
    send(2);
    assert.equal(await later, 2);
  });

  test("rejects with what the stream ended with", async () => {
    await using watch = new StreamWatch<number>(async function* () {
      yield 1;
      throw new Error("gone");
    });
    await assert.rejects(
      watch.until((n) => n === 2),
      /^Error: gone$/,
    );
  });
});
