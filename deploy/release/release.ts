import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { type Bundle, bundle } from "./bundle.ts";
import { below, type TreeFile } from "./file-tree.ts";
import { nativeFiles, type Target } from "./native-packages.ts";
import { formatNotices } from "./notices.ts";
import { type ContainedPackage, packagesOf } from "./packages.ts";
import { stripElf } from "./strip-elf.ts";

const root = join(import.meta.dirname, "..", "..");

/** What a release for one kind of machine is made of. */
export interface Release {
  /** The pinned Node, without what is only there for debuggers. */
  readonly node: Uint8Array;
  /** All that Node loads, for one folder: the bundles. */
  readonly bundles: readonly TreeFile[];
  /** And the packages with machine code, below `node_modules`. */
  readonly native: readonly TreeFile[];
  /** Our licence, and those of others. */
  readonly licences: readonly TreeFile[];
  readonly packages: readonly ContainedPackage[];
  readonly loads: Bundle["loads"];
}

/**
 * Makes a release from the sources and from what is installed.
 *
 * @param modules the `node_modules` that has the packages of the target
 * @throws {Error} if it lacks them
 */
export async function makeRelease(target: Target, modules: string): Promise<Release> {
  const nodePackage = `node-${target.platform}-${target.arch}`;
  const { files, sources, loads } = await bundle();
  const native = await nativeFiles(modules, target);
  const node = stripElf(await readFile(join(modules, nodePackage, "bin", "node")));
  const packages = [
    ...(await packagesOf(root, sources)),
    ...(await packagesOf(
      join(modules, ".."),
      [...native.keys(), `${nodePackage}/package.json`].map((path) => `node_modules/${path}`),
    )),
  ];
  const licences = [
    { path: "LICENSE", mode: 0o644, contents: await readFile(join(root, "LICENSE")) },
    { path: "THIRD-PARTY-NOTICES", mode: 0o644, contents: formatNotices(packages) },
  ];
  return {
    node,
    bundles: treeOf(files),
    native: below("node_modules", treeOf(native)),
    licences,
    packages,
    loads,
  };
}

function treeOf(files: ReadonlyMap<string, Uint8Array>): readonly TreeFile[] {
  return [...files].map(([path, contents]) => ({ path, mode: 0o644, contents }));
}
