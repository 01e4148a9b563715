import { execFile } from "node:child_process";
import { access, copyFile, mkdir } from "node:fs/promises";
import { dirname, join } from "node:path";
import { promisify } from "node:util";

const execute = promisify(execFile);

/** Copies the shared libraries that programs and libraries of this machine are loaded with, each to its own path below `root`. */
export async function copyLibraries(root: string, files: readonly string[]): Promise<void> {
  // It fails when one of several files needs no loader, after having told of the others.
  const told = await execute("ldd", [...files], { maxBuffer: 16 << 20 }).catch(
    ({ stdout }: { stdout?: string }) => ({ stdout: stdout ?? "" }),
  );
  const libraries = new Set(told.stdout.matchAll(/(\/\S+) \(0x/g).map(([, path = ""]) => path));
  for (const path of libraries) {
    const target = join(root, path);
    if (
      await access(target).then(
        () => true,
        () => false,
      )
    )
      continue;
    await mkdir(dirname(target), { recursive: true });
    await copyFile(path, target);
  }
}
