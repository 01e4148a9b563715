import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { FakeClock } from "../../test/fakes/fake-clock.ts";
import { restWhileIdle } from "./rest.ts";

const MIB = 1024 * 1024;

/** A process whose memory and work the test sets; `rests` counts how often it gave back. */
class Process implements AsyncDisposable {
  readonly clock = new FakeClock();
  mib = 100;
  /** What giving back leaves. */
  leastMib = 50;
  share = 0;
  rests = 0;
  readonly #stop = new AbortController();
  readonly #running = restWhileIdle(
    {
      clock: this.clock,
      busyShare: () => this.share,
      residentBytes: () => this.mib * MIB,
      giveBack: () => {
        this.rests += 1;
        this.mib = this.leastMib;
      },
    },
    this.#stop.signal,
  );

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await this.#running;
  }
}

describe("restWhileIdle", () => {
  it("gives back once when there is nothing to do", async () => {
    await using process = new Process();
    await process.clock.advance(300_000);
    assert.equal(process.rests, 1);
  });

  it("waits until there is nothing to do", async () => {
    await using process = new Process();
    process.share = 0.5;
    await process.clock.advance(300_000);
    assert.equal(process.rests, 0);
    process.share = 0.01;
    await process.clock.advance(5_000);
    assert.equal(process.rests, 1);
  });

  it("counts what comes back at once as needed", async () => {
    await using process = new Process();
    await process.clock.advance(5_000);
    process.mib = 60;
    await process.clock.advance(300_000);
    assert.equal(process.rests, 1);
    process.mib = 65;
    await process.clock.advance(300_000);
    assert.equal(process.rests, 1);
    process.mib = 66;
    await process.clock.advance(5_000);
    assert.equal(process.rests, 2);
  });

  it("pauses at most twice a minute, however much comes", async () => {
    await using process = new Process();
    for (let second = 0; second < 120; second += 5) {
      await process.clock.advance(5_000);
      process.mib = 50 + second;
    }
    assert.ok(process.rests > 1 && process.rests <= 4, `${process.rests} times`);
  });
});
