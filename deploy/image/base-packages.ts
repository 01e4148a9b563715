import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";

/** A Debian package that an image takes files from, pinned to its bytes. */
export interface BasePackage {
  readonly name: string;
  readonly version: string;
  /** Debian's word for the processor. */
  readonly architecture: string;
  /** Of the package file, lower-case hex. */
  readonly sha256: string;
}

/** What of each package goes into an image: what `ldd` names for Node and for the native packages, and what a scanner looks for. */
export const baseFiles: Readonly<Record<string, readonly string[]>> = {
  libc6: [
    "lib/*/ld-linux-*.so.*",
    "lib/*/{libc.so.6,libm.so.6,libdl.so.2,libpthread.so.0,librt.so.1}",
    // Names of hosts.
    "lib/*/{libresolv.so.2,libnss_dns.so.2,libnss_files.so.2}",
    "lib64/ld-linux-*.so.*",
    "usr/share/doc/libc6/copyright",
  ],
  "libstdc++6": ["usr/lib/*/libstdc++.so.6*", "usr/share/doc/libstdc++6"],
  "libgcc-s1": ["lib/*/libgcc_s.so.1", "usr/share/doc/libgcc-s1"],
  libatomic1: ["usr/lib/*/libatomic.so.1*", "usr/share/doc/libatomic1"],
  "gcc-12-base": ["usr/share/doc/gcc-12-base/copyright"],
  "base-files": ["usr/lib/os-release", "etc/os-release", "usr/share/doc/base-files/copyright"],
};

const lockPath = join(import.meta.dirname, "base-packages.json");

/** The pinned packages, in the order of their names. */
export async function readBasePackages(): Promise<readonly BasePackage[]> {
  return JSON.parse(await readFile(lockPath, "utf8"));
}

/** Pins packages anew. */
export async function writeBasePackages(packages: readonly BasePackage[]): Promise<void> {
  await writeFile(lockPath, `${JSON.stringify(packages, undefined, 2)}\n`);
}
