import { access, mkdir, readdir, readFile, rmdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { eventually } from "../../support/eventually.ts";

const top = "/sys/fs/cgroup";

/** A cgroup of one name in every hierarchy that is mounted, be it one (v2), many (v1) or both. */
export class ControlGroup implements AsyncDisposable {
  /** What a process writes to in order to belong to the group's leaf for processes that are no container. */
  readonly procsFiles: readonly string[];
  readonly #folders: readonly string[];

  private constructor(folders: readonly string[]) {
    this.#folders = folders;
    this.procsFiles = folders.map((folder) => join(folder, "system", "cgroup.procs"));
  }

  static async make(name: string): Promise<ControlGroup> {
    const folders = (await hierarchies()).map((hierarchy) => join(hierarchy, name));
    for (const folder of folders) {
      await mkdir(folder, { recursive: true });
      await copyCpuset(join(folder, ".."), folder);
      await mkdir(join(folder, "system"), { recursive: true });
      await copyCpuset(folder, join(folder, "system"));
    }
    return new ControlGroup(folders);
  }

  /** Removes groups that start with a name and that no process is in; those of runs that were killed. */
  static async sweep(prefix: string): Promise<void> {
    for (const hierarchy of await hierarchies()) {
      for (const name of await readdir(hierarchy)) {
        // One that is in use stays: the kernel refuses.
        if (name.startsWith(prefix)) await removeTree(join(hierarchy, name)).catch(() => {});
      }
    }
  }

  /** Needs all processes in it to be on their way out. */
  async [Symbol.asyncDispose](): Promise<void> {
    for (const folder of this.#folders) {
      // The last processes may still be ending.
      await eventually(`the end of ${folder}`, async () => {
        await removeTree(folder);
        return true;
      });
    }
  }
}

async function hierarchies(): Promise<readonly string[]> {
  if (await exists(join(top, "cgroup.procs"))) return [top];
  const names = await readdir(top, { withFileTypes: true });
  return names.filter((entry) => entry.isDirectory()).map(({ name }) => join(top, name));
}

/** In version 1 a group takes no process before it has processors and memory. */
async function copyCpuset(from: string, to: string): Promise<void> {
  for (const file of ["cpuset.cpus", "cpuset.mems"]) {
    if (!(await exists(join(from, file))) || (await exists(join(to, "cgroup.controllers"))))
      continue;
    await writeFile(join(to, file), await readFile(join(from, file)));
  }
}

async function removeTree(folder: string): Promise<void> {
  if (!(await exists(folder))) return;
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    if (entry.isDirectory()) await removeTree(join(folder, entry.name));
  }
  await rmdir(folder);
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
