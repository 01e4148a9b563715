// Images of workloads in other languages than Go, made of what this machine runs: no daemon and no registry.

import { execFile } from "node:child_process";
import { chmod, copyFile, glob, mkdir, realpath, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { packClientLibrary } from "../../../deploy/client-library/pack.ts";
import { ensurePythonEnvironment } from "../../support/foreign-builds.ts";
import { runToEnd } from "../../support/interop.ts";
import { root } from "../../support/sources.ts";
import { TempDir } from "../../support/temp-dir.ts";
import { layBusybox, writeImage } from "../cluster/image.ts";
import { copyLibraries } from "./copy-libraries.ts";

/** Python with the package spiffe; its command `workload` is that of test/interop/python. */
export const pythonImage = "localhost/workload-python:1";

/** Node with the tarball of our client library; its command `workload` is client-workload.mjs. */
export const nodeImage = "localhost/workload-node:1";

const execute = promisify(execFile);
const installMs = 180_000;

/** Writes the archive of {@link pythonImage}. */
export async function buildPythonImage(archive: string): Promise<void> {
  const python = await ensurePythonEnvironment();
  const script = "import sys, sysconfig as s; print(s.get_path('stdlib'), s.get_path('purelib'))";
  const [stdlib = "", packages = ""] = (await execute(python, ["-c", script])).stdout
    .trim()
    .split(" ");
  const interpreter = await realpath(python);
  await using dir = await TempDir.open(0o755);
  await layBusybox(dir.path);
  const home = dir.join("opt", "python");
  const lib = join(home, "lib", stdlib.slice(stdlib.lastIndexOf("/") + 1));
  await mkdir(join(home, "bin"), { recursive: true });
  await mkdir(lib, { recursive: true });
  await copyFile(interpreter, join(home, "bin", "python3"));
  const left = ["site-packages", "dist-packages", "test", "config-*", "idlelib", "__pycache__"];
  await copyTree(stdlib, lib, left);
  await copyTree(packages, join(home, "packages"), ["pip*", "setuptools*", "__pycache__"]);
  const loaded = await Array.fromAsync(glob("**/*.so*", { cwd: home }), (name) => join(home, name));
  await copyLibraries(dir.path, [interpreter, ...loaded]);
  await copyFile(join(root, "test", "interop", "python", "workload.py"), join(home, "workload.py"));
  const settings =
    "PYTHONHOME=/opt/python PYTHONPATH=/opt/python/packages PYTHONDONTWRITEBYTECODE=1";
  await writeCommand(dir, `${settings} exec /opt/python/bin/python3 /opt/python/workload.py "$@"`);
  await writeImage({ name: pythonImage, root: dir.path, command: ["/usr/bin/workload"] }, archive);
}

/** Writes the archive of {@link nodeImage}. */
export async function buildNodeImage(archive: string): Promise<void> {
  await using dir = await TempDir.open(0o755);
  await layBusybox(dir.path);
  const app = dir.join("app");
  await mkdir(app);
  await writeFile(join(app, "package.json"), JSON.stringify({ type: "module", private: true }));
  await using packed = await TempDir.open();
  const flags = ["--ignore-scripts", "--no-audit", "--no-fund", "--prefer-offline"];
  await runToEnd({
    file: "npm",
    args: ["install", ...flags, await packClientLibrary(packed.path)],
    cwd: app,
    signal: AbortSignal.timeout(installMs),
  });
  await copyFile(join(import.meta.dirname, "client-workload.mjs"), join(app, "workload.mjs"));
  await mkdir(dir.join("usr", "local", "bin"), { recursive: true });
  await copyFile(process.execPath, dir.join("usr", "local", "bin", "node"));
  await copyLibraries(dir.path, [process.execPath]);
  await writeCommand(dir, 'exec /usr/local/bin/node /app/workload.mjs "$@"');
  await writeImage({ name: nodeImage, root: dir.path, command: ["/usr/bin/workload"] }, archive);
}

async function copyTree(from: string, to: string, without: readonly string[]): Promise<void> {
  await mkdir(to, { recursive: true });
  const excluded = without.map((name) => `--exclude=${name}`);
  const pipe = 'from=$1 to=$2; shift 2; tar -C "$from" -cf - "$@" . | tar -C "$to" -xf -';
  await runToEnd({ file: "bash", args: ["-ec", pipe, "bash", from, to, ...excluded] });
}

async function writeCommand(dir: TempDir, line: string): Promise<void> {
  await mkdir(dir.join("usr", "bin"), { recursive: true });
  const path = dir.join("usr", "bin", "workload");
  await writeFile(path, `#!/bin/sh\n${line}\n`);
  await chmod(path, 0o755);
}
