import { glob, readFile } from "node:fs/promises";
import { join } from "node:path";

/** Where a release runs. Node's words for both. */
export interface Target {
  readonly platform: "linux";
  readonly arch: "x64" | "arm64";
}

/** Packages with machine code: not bundled, but copied as far as a target needs them. */
export const nativePackages = ["better-sqlite3", "koffi"] as const;

/** Patterns of the files that run on a target; what packages bring for building and for other machines stays behind. */
function neededFiles({ platform, arch }: Target): readonly string[] {
  return [
    "better-sqlite3/package.json",
    "better-sqlite3/lib/{index,binding,database,sqlite-error,util}.js",
    "better-sqlite3/lib/methods/*.js",
    `better-sqlite3/prebuilds/${platform}-${arch}.node`,
    "koffi/package.json",
    "koffi/index.js",
    "koffi/src/koffi/index.js",
    "koffi/src/koffi/src/static.js",
    `@koromix/koffi-${platform}-${arch}/package.json`,
    `@koromix/koffi-${platform}-${arch}/index.js`,
    `@koromix/koffi-${platform}-${arch}/${platform}_${arch}/koffi.node`,
  ];
}

/**
 * The files of the native packages, by path below a `node_modules`.
 *
 * @throws {Error} if something is not installed, such as the packages of another machine
 */
export async function nativeFiles(
  modules: string,
  target: Target,
): Promise<ReadonlyMap<string, Uint8Array>> {
  const files = new Map<string, Uint8Array>();
  for (const pattern of neededFiles(target)) {
    const paths = await Array.fromAsync(glob(pattern, { cwd: modules }));
    if (paths.length === 0) throw new Error(`node_modules lacks ${pattern}`);
    for (const path of paths.sort()) files.set(path, await readFile(join(modules, path)));
  }
  return files;
}

/** Whether releases are made for a kind of processor. */
export function isArch(arch: string): arch is Target["arch"] {
  return arch === "x64" || arch === "arm64";
}
