import { readFile } from "node:fs/promises";
import type { Figure } from "./figures.ts";

/** Ticks a second of the times in /proc; 100 on every Linux there is. */
const ticksPerSecond = 100;

/** CPU time that a process and its threads have used since it began, in seconds. */
export async function cpuSeconds(pid: number): Promise<number> {
  const stat = await readFile(`/proc/${pid}/stat`, "utf8");
  // The second field is a name in parentheses that may hold anything; fields are counted after it.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  const [user, system] = [fields[11], fields[12]].map(Number);
  return ((user ?? 0) + (system ?? 0)) / ticksPerSecond;
}

/** Memory of a process in MiB. */
export interface Memory {
  /** In physical memory now, files that it maps included. */
  readonly resident: number;
  /** Of these, what belongs to no file. */
  readonly anonymous: number;
  /** The largest `resident` so far. */
  readonly peak: number;
}

/** Reads what the kernel says about a process's memory. */
export async function memoryOf(pid: number): Promise<Memory> {
  const status = await readFile(`/proc/${pid}/status`, "utf8");
  const mebibytes = (key: string): number =>
    Math.round(Number(new RegExp(`^${key}:\\s+(\\d+) kB`, "m").exec(status)?.[1] ?? 0) / 1024);
  return {
    resident: mebibytes("VmRSS"),
    anonymous: mebibytes("RssAnon"),
    peak: mebibytes("VmHWM"),
  };
}

/** The memory of a process, to be reported. */
export function memoryFigures({ resident, anonymous, peak }: Memory): readonly Figure[] {
  return [
    { name: "resident", unit: "MiB", value: resident },
    { name: "anonymous", unit: "MiB", value: anonymous },
    { name: "peak", unit: "MiB", value: peak },
  ];
}

/** What a process used during `action`. */
export interface Usage<T> {
  readonly result: T;
  readonly seconds: number;
  readonly cpuSeconds: number;
}

/** How much of a core a process takes while nobody asks anything of it. */
export async function idleCores(pid: number, wait: () => Promise<void>): Promise<Figure> {
  const { cpuSeconds: used, seconds } = await measureUsage(pid, wait);
  return { name: "idle", unit: "cores", value: used / seconds };
}

/** Runs `action` and measures wall time and the CPU time of a process during it. */
export async function measureUsage<T>(pid: number, action: () => Promise<T>): Promise<Usage<T>> {
  const cpuBefore = await cpuSeconds(pid);
  const started = performance.now();
  const result = await action();
  const seconds = (performance.now() - started) / 1000;
  return { result, seconds, cpuSeconds: (await cpuSeconds(pid)) - cpuBefore };
}
