// The disk of a server is full: what cannot be recorded is not issued, what needs no disk goes on.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { open, readFile, rm } from "node:fs/promises";
import { suite, test } from "node:test";
import { freePort } from "../../deploy/local/free-port.ts";
import { Entry } from "../../proto/gen/spire/api/server/entry/v1/entry_pb.ts";
import { BareAgent } from "../support/bare-agent.ts";
import { eventually } from "../support/eventually.ts";
import { Machine } from "../support/machine.ts";
import { requires } from "../support/requires.ts";
import { TempDir } from "../support/temp-dir.ts";
import { assertNothingLost } from "./account.ts";
import { AcknowledgedLoad } from "./acknowledged-load.ts";

/** A small file system in memory. */
class SmallDisk implements AsyncDisposable {
  readonly path: string;
  readonly #dir: TempDir;

  private constructor(dir: TempDir) {
    this.path = dir.path;
    this.#dir = dir;
  }

  static async mount(mebibytes: number): Promise<SmallDisk> {
    const dir = await TempDir.open();
    execFileSync("mount", ["-t", "tmpfs", "-o", `size=${mebibytes}m,mode=0700`, "tmpfs", dir.path]);
    return new SmallDisk(dir);
  }

  get #filler(): string {
    return `${this.path}/filler`;
  }

  /** Takes all that is left. */
  async fill(): Promise<void> {
    await using file = await open(this.#filler, "w");
    for (const size of [1 << 20, 1 << 12, 1]) {
      const piece = Buffer.alloc(size);
      try {
        for (;;) await file.appendFile(piece);
      } catch (error) {
        assert.equal(error instanceof Error && "code" in error && error.code, "ENOSPC");
      }
    }
  }

  async makeRoom(): Promise<void> {
    await rm(this.#filler);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    execFileSync("umount", [this.path]);
    await this.#dir[Symbol.asyncDispose]();
  }
}

if (requires("linux", "root", "mount")) {
  suite("a full disk", () => {
    test("stops issuing with an alarm, leaves reads alone, and is over when there is room", async () => {
      await using disk = await SmallDisk.mount(16);
      const port = await freePort(0);
      const observability = { enabled: true, address: "127.0.0.1", port };
      const dataDir = `${disk.path}/server`;
      await using machine = await Machine.open({ server: { dataDir, observability } });
      await machine.local.startServer();
      using agent = await BareAgent.attest(machine.bareAgents);
      const load = new AcknowledgedLoad(machine, agent);
      const { signal } = machine;
      const registered = await load.register(signal);
      await load.sign(registered, signal);

      await disk.fill();
      // What was reserved before the disk was full may still be used.
      const refusal = await eventually("the refusal", async () => {
        return load.sign(registered, signal).then(
          () => undefined,
          (error: Error) => error,
        );
      });
      assert.match(refusal.message, /audit/);
      const ready = await fetch(`http://127.0.0.1:${port}/ready`);
      assert.equal(ready.status, 503);
      assert.match(await ready.text(), /"audit":\{"state":"failed"/);
      assert.equal((await fetch(`http://127.0.0.1:${port}/live`)).status, 200);
      const log = await readFile(machine.local.layout.serverLog, "utf8");
      assert.match(log, /ERROR Audit log cannot be written, issuing has stopped/);
      const { entries } = await machine.local.server
        .client(Entry)
        .listEntries({ outputMask: {} }, machine.call);
      assert.deepEqual(
        entries.map(({ id }) => id),
        [registered.entryId],
      );
      await assert.rejects(load.sign(registered, signal), /audit/);

      await disk.makeRoom();
      await eventually("the recovery", async () => {
        await load.sign(registered, signal);
        return true;
      });
      await load.sign(await load.register(signal), signal);
      await assertNothingLost(machine, load);
      assert.equal((await fetch(`http://127.0.0.1:${port}/ready`)).status, 200);
    });
  });
}
