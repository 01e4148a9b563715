import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";

/** A package that a release contains all or part of. */
export interface ContainedPackage {
  readonly name: string;
  readonly version: string;
  /** SPDX expression, as the package states it. */
  readonly license: string;
  /** Texts of its licence and notice files; none if it brings none. */
  readonly texts: readonly string[];
}

/**
 * The packages that sources belong to, each once, sorted by name.
 *
 * @param sources paths relative to `root`; those outside a `node_modules` are ours and are passed over
 * @throws {Error} if a package does not say under which licence it is
 */
export async function packagesOf(
  root: string,
  sources: readonly string[],
): Promise<readonly ContainedPackage[]> {
  const folders = new Set(sources.flatMap((path) => packageFolder(path) ?? []));
  const packages = await Promise.all([...folders].map((folder) => readPackage(join(root, folder))));
  const unique = new Map(packages.map((one) => [`${one.name}@${one.version}`, one]));
  return [...unique.values()].sort((a, b) => compare(a.name, b.name));
}

/** `node_modules/@scope/name` of `node_modules/@scope/name/lib/file.js`. */
function packageFolder(path: string): string | undefined {
  return /^(?:.*\/)?node_modules\/(?:@[^/]+\/)?[^/]+/.exec(path)?.[0];
}

async function readPackage(folder: string): Promise<ContainedPackage> {
  const { name, version, license } = JSON.parse(
    await readFile(join(folder, "package.json"), "utf8"),
  );
  if (typeof license !== "string") throw new Error(`${name} names no licence`);
  const files = await readdir(folder);
  const named = files.filter((file) => /^(licen[cs]e|copying|notice)/i.test(file)).sort();
  const texts = await Promise.all(named.map((file) => readFile(join(folder, file), "utf8")));
  return { name, version, license, texts: texts.map((text) => text.trim()) };
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
