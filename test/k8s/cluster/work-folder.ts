import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ControlGroup } from "./control-group.ts";

const prefix = "assay-k8s-";

/**
 * The folder of one cluster: keys, logs, the machines' disks. Its name is also the prefix of the cluster's cgroups. Both are all
 * that a killed run leaves behind, and the next one removes them.
 */
export class WorkFolder implements AsyncDisposable {
  readonly path: string;
  /** Unlike that of any other cluster on this machine. */
  readonly name: string;

  private constructor(path: string, name: string) {
    this.path = path;
    this.name = name;
  }

  static async open(): Promise<WorkFolder> {
    await sweep();
    // Short on purpose: the path of a Unix socket may have 107 bytes.
    const path = await mkdtemp(join(tmpdir(), prefix));
    await writeFile(join(path, "owner"), await ownerNow(process.pid));
    for (const folder of ["logs", "pki"]) await mkdir(join(path, folder));
    return new WorkFolder(path, path.slice(path.lastIndexOf("/") + 1));
  }

  join(...names: readonly string[]): string {
    return join(this.path, ...names);
  }

  /** Writes a file that only we read, and returns its path. */
  async write(name: string, text: string): Promise<string> {
    const path = this.join(name);
    await mkdir(join(path, ".."), { recursive: true });
    await writeFile(path, text, { mode: 0o600 });
    return path;
  }

  /** With ASSAY_TEST_KEEP in the environment the next run removes it, so that one can read the logs. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (process.env["ASSAY_TEST_KEEP"] !== undefined) return;
    await rm(this.path, { recursive: true, force: true });
  }
}

async function sweep(): Promise<void> {
  for (const name of await readdir(tmpdir())) {
    if (!name.startsWith(prefix)) continue;
    const path = join(tmpdir(), name);
    const owner = await readFile(join(path, "owner"), "utf8").catch(() => undefined);
    // Without an owner it is being made, or being removed.
    if (owner === undefined || (await isRunning(owner))) continue;
    await ControlGroup.sweep(name);
    await rm(path, { recursive: true, force: true });
  }
}

/** A process by its number and the time of its start, as numbers are given again. */
async function ownerNow(pid: number): Promise<string> {
  const stat = await readFile(`/proc/${pid}/stat`, "utf8");
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return `${pid} ${fields[19]}`;
}

async function isRunning(owner: string): Promise<boolean> {
  const pid = Number(owner.split(" ")[0]);
  return (await ownerNow(pid).catch(() => undefined)) === owner;
}
