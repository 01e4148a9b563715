import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { withLock } from "./lock.ts";
import { requires } from "./requires.ts";
import { TempDir } from "./temp-dir.ts";

if (requires("linux", "unshare")) {
  suite("a lock between processes", () => {
    test("is held by one at a time", async () => {
      await using dir = await TempDir.open();
      const path = dir.join("lock");
      const order: string[] = [];
      const first = Promise.withResolvers<void>();
      const held = Promise.withResolvers<void>();
      const one = withLock(
        path,
        () => {},
        async () => {
          order.push("first begins");
          held.resolve();
          await first.promise;
          order.push("first ends");
        },
      );
      await held.promise;
      const waiting = Promise.withResolvers<string>();
      const two = withLock(path, waiting.resolve, async () => order.push("second"));
      assert.match(await waiting.promise, /waiting for another process/);
      first.resolve();
      await Promise.all([one, two]);
      assert.deepEqual(order, ["first begins", "first ends", "second"]);
    });

    test("is released when what was done under it fails", async () => {
      await using dir = await TempDir.open();
      const path = dir.join("lock");
      const broken = withLock(
        path,
        () => {},
        async () => {
          throw new Error("broken");
        },
      );
      await assert.rejects(broken, /broken/);
      assert.equal(
        await withLock(
          path,
          () => {},
          async () => "again",
        ),
        "again",
      );
    });
  });
}
