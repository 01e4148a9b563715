import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import {
  glob,
  lstat,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  readlink,
  rename,
  rm,
} from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import type { TreeEntry } from "../release/file-tree.ts";
import type { BasePackage } from "./base-packages.ts";

const run = promisify(execFile);

/** A Debian package with the files that were asked for. */
export interface UnpackedPackage {
  readonly entries: readonly TreeEntry[];
  /** Its record, as dpkg keeps it. */
  readonly control: string;
}

/** What apt would install now. */
export async function newestPackage(name: string, cache: string): Promise<BasePackage> {
  const file = await download(name, cache);
  const fields = await run("dpkg-deb", ["-f", file, "Version", "Architecture"]);
  const field = (key: string): string => {
    const value = new RegExp(`^${key}: (\\S+)$`, "m").exec(fields.stdout)?.[1];
    if (value === undefined) throw new Error(`${name} has no field ${key}`);
    return value;
  };
  return {
    name,
    version: field("Version"),
    architecture: field("Architecture"),
    sha256: await digestOf(file),
  };
}

/** The pinned package or, where apt has that one no more, what apt would install now. */
export async function availablePackage(pinned: BasePackage, cache: string): Promise<BasePackage> {
  try {
    await fetchPinned(pinned, cache);
    return pinned;
  } catch {
    return newestPackage(pinned.name, cache);
  }
}

/**
 * Gets a pinned package, from the cache or by apt, and unpacks the files that match.
 *
 * @throws {Error} if apt has it no more, if it is not the bytes that were pinned, or if a pattern matches nothing
 */
export async function unpackPackage(
  pinned: BasePackage,
  patterns: readonly string[],
  cache: string,
): Promise<UnpackedPackage> {
  const file = await fetchPinned(pinned, cache);
  const folder = await mkdtemp(join(tmpdir(), "assay-image-"));
  try {
    await run("dpkg-deb", ["-x", file, folder]);
    const { stdout: control } = await run("dpkg-deb", ["-f", file]);
    const found = await Promise.all(
      patterns.map(async (pattern) => {
        const paths = await Array.fromAsync(glob(pattern, { cwd: folder }));
        if (paths.length === 0) throw new Error(`${pinned.name} has no ${pattern}`);
        return Promise.all(paths.map((path) => readEntry(folder, path)));
      }),
    );
    return { entries: found.flat(), control };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function readEntry(folder: string, path: string): Promise<TreeEntry> {
  const full = join(folder, path);
  const stats = await lstat(full);
  if (stats.isSymbolicLink()) return { path, target: await readlink(full) };
  return { path, mode: stats.mode & 0o755, contents: await readFile(full) };
}

async function fetchPinned(pinned: BasePackage, cache: string): Promise<string> {
  const { name, version, architecture, sha256 } = pinned;
  // Debian writes a colon in a version as %3a in the name of a file.
  const file = `${name}_${version.replace(":", "%3a")}_${architecture}.deb`;
  const files: readonly string[] = await readdir(cache).catch(() => []);
  const path = files.includes(file)
    ? join(cache, file)
    : await download(`${name}=${version}`, cache).catch((cause) => {
        const hint = "--update-base pins what apt has now, --newer-base takes it this once";
        throw new Error(`apt has no ${name} ${version}: ${hint}`, { cause });
      });
  const found = await digestOf(path);
  if (found !== sha256) throw new Error(`${path}: expected sha256 ${sha256}, got ${found}`);
  return path;
}

/** @returns the path of the package file */
async function download(what: string, cache: string): Promise<string> {
  const folder = join(cache, `download-${process.pid}-${what.replace(/[^\w.+-]/g, "_")}`);
  await mkdir(folder, { recursive: true });
  try {
    await run("apt-get", ["download", "--quiet", what], { cwd: folder, timeout: 5 * 60_000 });
    const [file] = await readdir(folder);
    if (file === undefined) throw new Error(`apt-get downloaded no ${what}`);
    await rename(join(folder, file), join(cache, file));
    return join(cache, file);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function digestOf(path: string): Promise<string> {
  return createHash("sha256")
    .update(await readFile(path))
    .digest("hex");
}
