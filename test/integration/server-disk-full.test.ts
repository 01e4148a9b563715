// A server whose disk is full: it issues nothing that it cannot record, says so, and goes on to answer.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, it } from "node:test";
import { Admin } from "../../proto/gen/assay/admin/v1/admin_pb.ts";
import { Entry } from "../../proto/gen/spire/api/server/entry/v1/entry_pb.ts";
import { SVID } from "../../proto/gen/spire/api/server/svid/v1/svid_pb.ts";
import { Status, StatusError } from "../../runtime/errors/status-error.ts";
import { eventually } from "../support/eventually.ts";
import { Machine } from "../support/machine.ts";
import { requires } from "../support/requires.ts";
import { TempDir } from "../support/temp-dir.ts";

if (requires("linux") && requires("root")) {
  describe("a server whose disk is full", () => {
    it("stops to issue with an alarm, goes on to read, and issues again when there is room", async () => {
      await using stack = new AsyncDisposableStack();
      const disk = join(stack.use(await TempDir.open()).path, "disk");
      await mkdir(disk);
      execFileSync("mount", ["-t", "tmpfs", "-o", "size=3m", "tmpfs", disk]);
      stack.defer(() => void execFileSync("umount", ["--lazy", disk]));
      const dataDir = join(disk, "server");
      const machine = stack.use(await Machine.open({ server: { dataDir } }));
      const server = await machine.local.startServer();
      const mint = () =>
        server
          .client(SVID)
          .mintJWTSVID(
            { id: { trustDomain: "example.test", path: "/a" }, audience: ["b"], ttl: 60 },
            machine.call,
          );
      await mint();

      const filler = join(disk, "filler");
      await assert.rejects(writeFile(filler, Buffer.alloc(4 << 20)), { code: "ENOSPC" });
      // The room that the log has made ahead takes some hundreds of records more.
      const refusal = await eventually("issuing to stop", async () => {
        const minted = await Promise.allSettled(Array.from({ length: 50 }, mint));
        return minted.find((each) => each.status === "rejected")?.reason;
      });
      assert.ok(refusal instanceof StatusError);
      assert.deepEqual(
        [refusal.code, refusal.message],
        [Status.UNAVAILABLE, "the audit log cannot be written"],
      );
      await server.client(Entry).countEntries({}, machine.call);
      const log = await readFile(machine.local.layout.serverLog, "utf8");
      assert.match(log, /ERROR Audit log cannot be written, issuing has stopped/);

      await rm(filler);
      await eventually("issuing to go on", mint);
      const { intact } = await server.client(Admin).verifyAudit({}, machine.call);
      assert.equal(intact, true);
    });
  });
}
