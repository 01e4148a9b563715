// The release as its users get it: unpacked into an empty folder, without this checkout's packages.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { join } from "node:path";
import { describe, it } from "node:test";
import { promisify } from "node:util";
import { releasedCommand } from "../../deploy/local/assay-command.ts";
import { LocalMachine } from "../../deploy/local/local-machine.ts";
import { registerUser } from "../../deploy/local/user-entry.ts";
import { fetchIds } from "../../deploy/local/workload-call.ts";
import { bundle } from "../../deploy/release/bundle.ts";
import { systemClock } from "../../runtime/time/clock.ts";
import { VERSION } from "../../runtime/version.ts";
import { eventually } from "../support/eventually.ts";
import { requires } from "../support/requires.ts";
import { root } from "../support/sources.ts";
import { TempDir } from "../support/temp-dir.ts";

const run = promisify(execFile);

const name = `assay-${VERSION}-linux-${process.arch}`;

/** @returns the path of the tarball */
async function buildInto(folder: string): Promise<string> {
  const script = join(root, "deploy", "release", "build.ts");
  await run(process.execPath, [script, "--tarball", "--out", folder]);
  return join(folder, `${name}.tar.gz`);
}

describe("the bundles", () => {
  it("have the agent load no cluster client, no database and no other part", async () => {
    const first = await bundle();
    const loaded = first.loads("agent").join("\n");
    assert.doesNotMatch(loaded, /client-node|sqlite|kysely|@peculiar|commander|^server\//m);
    // And they are the same bytes twice.
    assert.deepEqual((await bundle()).files, first.files);
  });
});

if (requires("linux")) {
  describe("a release", () => {
    it("runs server, agent and workload from the tarball", async (t) => {
      await using dir = await TempDir.open(0o755);
      await run("tar", ["-xzf", await buildInto(dir.join("built")), "-C", dir.path]);
      const command = releasedCommand(dir.join(name));
      const assay = async (...args: readonly string[]): Promise<string> => {
        const { stdout } = await run(command.file, args, { cwd: "/" });
        return stdout;
      };
      assert.equal(await assay("--version"), `${VERSION}\n`);

      const home = dir.join("home");
      const options = { home, trustDomain: "release.test", clock: systemClock, signal: t.signal };
      await using machine = await LocalMachine.prepare({ ...options, command });
      await machine.startServer();
      const agent = await machine.startAgent();
      const id = await registerUser(machine, t.signal);
      await eventually("the identity", async () => {
        const ids = await fetchIds(agent.workloadSocket, t.signal);
        return ids.includes(id) ? true : undefined;
      });
      const fetched = await assay("x509", "fetch", "--endpoint", `unix://${agent.workloadSocket}`);
      assert.match(fetched, new RegExp(id));
      const entries = await assay("entry", "list", "--socket", machine.layout.adminSocket);
      assert.match(entries, new RegExp(id));
    });
  });
}
