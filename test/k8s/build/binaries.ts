import { createHash, type Hash } from "node:crypto";
import { access, mkdir, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { cacheFolder } from "../../support/cache-folder.ts";
import { runToEnd } from "../../support/interop.ts";
import { withLock } from "../../support/lock.ts";
import { type Build, type BuildGroup, builds } from "./builds.ts";

/**
 * The folder with the binaries of a group, made unless an earlier run did; CNI plugins lie in its `cni/`. It is outside of the
 * checkout and named for what it is made from, so it serves all checkouts and a changed pin makes another. Cold, the cluster
 * takes about seven minutes on two cores; a second builder waits for the first.
 *
 * @param say gets a line for each step that takes time
 * @throws {Error} with the compiler's words
 */
export async function ensureBinaries(
  group: BuildGroup,
  say: (line: string) => void,
): Promise<string> {
  const cache = cacheFolder("k8s");
  const folder = join(cache, `${group}-${(await digestOfSources(group)).slice(0, 16)}`);
  const finished = join(folder, "finished");
  if (await exists(finished)) return folder;
  await mkdir(cache, { recursive: true });
  await withLock(`${folder}.lock`, say, async () => {
    if (await exists(finished)) return;
    say(`building binaries for tests into ${folder}, once`);
    const unfinished = `${folder}.unfinished`;
    await rm(unfinished, { recursive: true, force: true });
    await mkdir(join(unfinished, "cni"), { recursive: true });
    for (const build of builds[group]) await make(build, unfinished, say);
    await writeFile(join(unfinished, "finished"), "");
    await rename(unfinished, folder);
  });
  return folder;
}

async function make(build: Build, folder: string, say: (line: string) => void): Promise<void> {
  const started = performance.now();
  const variables = Object.entries(build.variables ?? {}).map(([name, to]) => `-X ${name}=${to}`);
  const output = build.output === "./" ? `${folder}/` : join(folder, build.output);
  await runToEnd({
    file: "nice",
    args: [
      ...["-n", "10", "go", "build", "-mod=readonly", "-buildvcs=false"],
      ...["-tags", build.tags ?? "", "-ldflags", ["-s -w", ...variables].join(" ")],
      ...["-o", output, ...build.packages],
    ],
    cwd: join(import.meta.dirname, build.module),
    env: { CGO_ENABLED: build.cgo === true ? "1" : "0" },
    // Go waits without end for a download that stands still.
    signal: AbortSignal.timeout(20 * 60_000),
  });
  const names = build.packages.map((path) => path.split("/").at(-1)).join(", ");
  const seconds = Math.round((performance.now() - started) / 1000);
  say(`built ${names === "." ? build.output : names} in ${seconds} s`);
}

/** Of everything in this folder that decides what the binaries are. */
async function digestOfSources(group: BuildGroup): Promise<string> {
  const hash = createHash("sha256");
  hash.update(JSON.stringify(builds[group]));
  const modules = new Set(builds[group].map(({ module }) => module));
  for (const name of modules) await addFolder(hash, join(import.meta.dirname, name), name);
  return hash.digest("hex");
}

async function addFolder(hash: Hash, path: string, name: string): Promise<void> {
  for (const file of (await readdir(path)).sort()) {
    const bytes = await readFile(join(path, file));
    hash.update(`${name}/${file} ${bytes.length}\n`).update(bytes);
  }
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
