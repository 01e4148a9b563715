// Processes of pods, as this machine sees them: the cluster's machines are namespaces of the same kernel.

import { readdir, readFile } from "node:fs/promises";

/** Ticks a second of the times in /proc; 100 on every Linux there is. */
const ticksPerSecond = 100;

/** The processes of a pod that run this command. @param word of its command line */
export async function processesOf(podUid: string, word: string): Promise<readonly number[]> {
  const found: number[] = [];
  for (const name of await readdir("/proc")) {
    if (!/^\d+$/.test(name)) continue;
    // Processes end while we look.
    const cgroup = await readFile(`/proc/${name}/cgroup`, "utf8").catch(() => "");
    if (!cgroup.includes(podUid)) continue;
    const command = await readFile(`/proc/${name}/cmdline`, "utf8").catch(() => "");
    if (command.split("\0").some((argument) => argument.includes(word))) found.push(Number(name));
  }
  return found;
}

/** The only process of a pod that runs this command. @throws {Error} unless there is exactly one */
export async function processOf(podUid: string, word: string): Promise<number> {
  const [pid, ...others] = await processesOf(podUid, word);
  if (pid === undefined || others.length > 0) {
    throw new Error(`the pod ${podUid} runs ${word} ${others.length + (pid ? 1 : 0)} times`);
  }
  return pid;
}

/** When a process was started, in milliseconds since 1970, to 10 ms. */
export async function startedAt(pid: number): Promise<number> {
  const stat = await readFile(`/proc/${pid}/stat`, "utf8");
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  const [uptime] = (await readFile("/proc/uptime", "utf8")).split(" ");
  const ageMs = Number(uptime) * 1000 - (Number(fields[19]) * 1000) / ticksPerSecond;
  return Date.now() - ageMs;
}

/** Memory of a process in MB of 2^20 bytes. */
export interface Resident {
  readonly all: number;
  /** Of these, what belongs to no file. */
  readonly anonymous: number;
}

/** What a process has in memory, counted page by page. */
export async function residentOf(pid: number): Promise<Resident> {
  const rollup = await readFile(`/proc/${pid}/smaps_rollup`, "utf8");
  const megabytes = (key: string): number =>
    Number(new RegExp(`^${key}:\\s+(\\d+) kB`, "m").exec(rollup)?.[1] ?? 0) / 1024;
  return { all: megabytes("Rss"), anonymous: megabytes("Anonymous") };
}
