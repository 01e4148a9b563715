import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:net";
import { suite, test } from "node:test";
import { TempDir } from "../../test/support/temp-dir.ts";
import { layoutOf, makeFolders } from "./layout.ts";
import { refuseSecondStart } from "./running.ts";

suite("refuseSecondStart", () => {
  test("accepts a folder where nothing runs, sockets left behind or not", async () => {
    await using dir = await TempDir.open();
    await refuseSecondStart(layoutOf(dir.path));
  });

  for (const socket of ["adminSocket", "workloadSocket"] as const) {
    test(`says where the other one runs while its ${socket} answers`, async () => {
      await using dir = await TempDir.open();
      const layout = layoutOf(dir.path);
      await makeFolders(layout);
      const server = createServer().listen(layout[socket]);
      await once(server, "listening");
      try {
        await assert.rejects(refuseSecondStart(layout), {
          message: `already running with the state in ${dir.path}; end it with Ctrl-C where it was started, or set ASSAY_HOME to another folder`,
        });
      } finally {
        server.close();
      }
    });
  }
});
