import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { eventually } from "./eventually.ts";

suite("eventually", () => {
  test("returns the first answer that is not undefined", async () => {
    let asked = 0;
    const answer = await eventually(
      "the third question",
      () => (++asked === 3 ? asked : undefined),
      {
        intervalMs: 1,
      },
    );
    assert.equal(answer, 3);
  });

  test("goes on while the probe throws", async () => {
    let asked = 0;
    const probe = (): boolean => {
      if (++asked < 3) throw new Error("not yet");
      return true;
    };
    assert.equal(await eventually("peace", probe, { intervalMs: 1 }), true);
  });

  test("says what it waited for, with the last error as cause", async () => {
    const cause = new Error("refused");
    const probe = (): never => {
      throw cause;
    };
    await assert.rejects(eventually("the server", probe, { timeoutMs: 5, intervalMs: 1 }), {
      message: "timed out waiting for the server",
      cause,
    });
  });
});
