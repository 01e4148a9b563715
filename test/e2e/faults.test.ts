// What a machine does to a server or an agent: files that are damaged, lost, foreign or shared, and disks that are full.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { generateKeyPairSync, randomBytes } from "node:crypto";
import { readdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { suite, test } from "node:test";
import { promisify } from "node:util";
import { assaySource } from "../../deploy/local/assay-command.ts";
import { registerUser } from "../../deploy/local/user-entry.ts";
import { fetchIds } from "../../deploy/local/workload-call.ts";
import { Admin } from "../../proto/gen/assay/admin/v1/admin_pb.ts";
import { systemClock } from "../../runtime/time/clock.ts";
import { eventually } from "../support/eventually.ts";
import { Machine } from "../support/machine.ts";
import { requires } from "../support/requires.ts";

/** Waits until this process has its identity from the agent. */
async function untilServed(machine: Machine, id: string): Promise<void> {
  const { workloadSocket } = machine.local.layout;
  const isServed = async (): Promise<true | undefined> =>
    (await fetchIds(workloadSocket, machine.signal)).includes(id) ? true : undefined;
  await eventually("the identity", isServed, { timeoutMs: 30_000 });
}

function storeOf(machine: Machine): string {
  return join(machine.local.layout.serverData, "store.sqlite");
}

async function restore(machine: Machine, backup: string): Promise<void> {
  const args = [assaySource, "server", "restore", backup];
  await promisify(execFile)(process.execPath, [
    ...args,
    "--config",
    machine.local.layout.serverConfig,
  ]);
}

if (requires("linux")) {
  suite("files of a server", () => {
    test("a store has one server: a second one refuses to start and names the first", async () => {
      await using first = await Machine.open();
      const { child } = await first.local.startServer();
      const dataDir = first.local.layout.serverData;
      await using second = await Machine.open({ server: { dataDir } });
      await assert.rejects(second.local.startServer(), {
        message: new RegExp(`^the server ended; .* is in use by process ${child.pid}`, "s"),
      });
      await registerUser(first.local, first.signal);
    });

    test("a damaged store is refused with the way back, and a backup is that way", async () => {
      await using machine = await Machine.start();
      const { layout } = machine.local;
      const id = await registerUser(machine.local, machine.signal);
      const backup = join(layout.home, "backup.sqlite");
      await machine.local.server.client(Admin).backup({ path: backup }, machine.call);
      await machine.local.server.child.stop(systemClock);
      await writeFile(storeOf(machine), randomBytes(65_536));
      await assert.rejects(machine.local.startServer(), {
        message: /^the server ended; .* is damaged or no store at all: .* `assay server restore`/s,
      });
      await restore(machine, backup);
      await machine.local.startServer();
      await machine.local.startAgent();
      await untilServed(machine, id);
    });

    test("a lost store is a new trust domain, which agents join once they are told to trust it", async () => {
      await using machine = await Machine.start();
      const { layout } = machine.local;
      await registerUser(machine.local, machine.signal);
      await machine.local.agent.child.stop(systemClock);
      await machine.local.server.child.stop(systemClock);
      await Promise.all(
        ["", "-wal", "-shm"].map((end) => rm(storeOf(machine) + end, { force: true })),
      );
      await machine.local.startServer();
      await Promise.all([layout.trustBundle, layout.agentState].map((path) => rm(path)));
      await machine.local.startAgent();
      await untilServed(machine, await registerUser(machine.local, machine.signal));
    });

    test("a key file of another authority is refused by name", async () => {
      await using machine = await Machine.open();
      await (await machine.local.startServer()).child.stop(systemClock);
      const folder = join(machine.local.layout.serverData, "keys");
      const name = (await readdir(folder)).find((file) => file.startsWith("x509-")) ?? "";
      const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
      await writeFile(join(folder, name), privateKey.export({ type: "pkcs8", format: "pem" }));
      await assert.rejects(machine.local.startServer(), {
        message: /^the server ended; .*key x509-[0-9a-f]+ is not the key of/s,
      });
    });

    test("a key file that cannot be read as one is refused by path", async () => {
      await using machine = await Machine.open();
      await (await machine.local.startServer()).child.stop(systemClock);
      const folder = join(machine.local.layout.serverData, "keys");
      const name = (await readdir(folder)).find((file) => file.startsWith("x509-")) ?? "";
      await writeFile(join(folder, name), "nothing");
      await assert.rejects(machine.local.startServer(), {
        message: new RegExp(`^the server ended; .*${name}`, "s"),
      });
    });
  });

  suite("files of an agent", () => {
    for (const [what, damage] of [
      ["damaged", (content: Buffer) => content.fill(0xff, 100, 200)],
      ["cut off", (content: Buffer) => content.subarray(0, content.length / 2)],
      ["empty", () => Buffer.alloc(0)],
    ] as const) {
      test(`a ${what} state file is not used: the agent says so and attests again`, async () => {
        await using machine = await Machine.start();
        const { layout } = machine.local;
        const id = await registerUser(machine.local, machine.signal);
        await untilServed(machine, id);
        await machine.local.agent.child.stop(systemClock);
        await writeFile(layout.agentState, damage(await readFile(layout.agentState)));
        await machine.local.startAgent();
        await untilServed(machine, id);
        const log = await readFile(layout.agentLog, "utf8");
        assert.match(log, /WARN {2}State file is not used, starting afresh/);
        assert.match(log, /Agent attested/);
      });
    }
  });
}
