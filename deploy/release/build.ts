// `npm run build`: makes the release in dist/assay: one folder that runs wherever it is put, with its own Node.
//   --tarball         packs it too
//   --arch x64|arm64  for which processor, instead of this machine's
//   --modules FOLDER  the node_modules that has the packages for it
//   --out FOLDER      instead of dist

import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import process from "node:process";
import { parseArgs } from "node:util";
import { gzipSync } from "node:zlib";
import { describeError } from "../../runtime/errors/describe.ts";
import { VERSION } from "../../runtime/version.ts";
import { below, type TreeFile, writeTree } from "./file-tree.ts";
import { shellLauncher } from "./launchers.ts";
import { isArch } from "./native-packages.ts";
import { makeRelease, type Release } from "./release.ts";
import { sourceDate } from "./source-date.ts";
import { packTar } from "./tar.ts";

const root = join(import.meta.dirname, "..", "..");

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      tarball: { type: "boolean", default: false },
      arch: { type: "string", default: process.arch },
      modules: { type: "string", default: join(root, "node_modules") },
      out: { type: "string", default: join(root, "dist") },
    },
  });
  const { arch, modules } = values;
  if (!isArch(arch)) throw new Error(`no release for processors of kind ${arch}`);
  const out = resolve(values.out);
  const tree = await releaseTree(await makeRelease({ platform: "linux", arch }, resolve(modules)));
  await mkdir(out, { recursive: true });
  await writeTree(join(out, "assay"), tree);
  process.stdout.write(`${join(out, "assay")}\n`);
  if (!values.tarball) return;
  const name = `assay-${VERSION}-linux-${arch}`;
  const modifiedAt = await sourceDate(root, process.env);
  const path = join(out, `${name}.tar.gz`);
  await writeFile(path, gzipSync(packTar(below(name, tree), { modifiedAt })));
  process.stdout.write(`${path}\n`);
}

async function releaseTree({
  node,
  bundles,
  native,
  licences,
}: Release): Promise<readonly TreeFile[]> {
  const units = ["assay-server.service", "assay-agent.service", "assay-agent.socket"];
  const settings = ["server.yaml", "agent.yaml"];
  const systemd = await Promise.all(
    [...units, ...settings].map(async (path) => ({
      path,
      mode: 0o644,
      contents: await readFile(join(root, "deploy", "systemd", path)),
    })),
  );
  return [
    { path: "bin/assay", mode: 0o755, contents: shellLauncher() },
    { path: "bin/node", mode: 0o755, contents: node },
    ...below("lib", [...bundles, ...native]),
    ...below("systemd", systemd),
    ...licences,
  ];
}

try {
  await main();
} catch (error) {
  process.stderr.write(`build: ${describeError(error)}\n`);
  process.exitCode = 1;
}
