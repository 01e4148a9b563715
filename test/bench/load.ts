import type { Figure } from "./figures.ts";
import { Latencies } from "./latencies.ts";
import { type Memory, measureUsage, memoryOf } from "./process-usage.ts";

/** A steady load of calls on one process. */
export interface LoadOptions {
  /** The process whose CPU time and memory are read. */
  readonly pid: number;
  /** How many calls are under way at any time. */
  readonly concurrency: number;
  readonly seconds: number;
  /** One call; returns how many things it got done. A call that throws counts as failed. */
  readonly call: (worker: number, round: number) => Promise<number>;
}

/** What a load got done. */
export interface LoadResult {
  readonly done: number;
  readonly failed: number;
  readonly lastError: unknown;
  readonly latencies: Latencies;
  readonly seconds: number;
  readonly cpuSeconds: number;
  /** What making the load took of the machine, in cores. */
  readonly ownCores: number;
  readonly memory: Memory;
}

/** Runs `concurrency` callers, each with one call at a time and at least one in all, for `seconds`. */
export async function runLoad(options: LoadOptions): Promise<LoadResult> {
  const { pid, concurrency, seconds, call } = options;
  const latencies = new Latencies();
  let done = 0;
  let failed = 0;
  let lastError: unknown;
  const end = performance.now() + seconds * 1000;
  const worker = async (index: number): Promise<void> => {
    let round = 0;
    do {
      try {
        // Not in one statement: it would read the sum before it waits.
        const got = await latencies.time(() => call(index, round++));
        done += got;
      } catch (error) {
        failed += 1;
        lastError = error;
      }
    } while (performance.now() < end);
  };
  const ownBefore = process.cpuUsage();
  const usage = await measureUsage(pid, async () => {
    await Promise.all(Array.from({ length: concurrency }, (_, index) => worker(index)));
  });
  const own = process.cpuUsage(ownBefore);
  return {
    done,
    failed,
    lastError,
    latencies,
    seconds: usage.seconds,
    cpuSeconds: usage.cpuSeconds,
    ownCores: (own.user + own.system) / 1e6 / usage.seconds,
    memory: await memoryOf(pid),
  };
}

/** Per second and per core-second, latencies, failures, memory. */
export function loadFigures(result: LoadResult): readonly Figure[] {
  const { done, failed, seconds, cpuSeconds, memory } = result;
  return [
    { name: "rate", unit: "a second", value: done / seconds },
    { name: "rate of a core", unit: "per core-second", value: done / cpuSeconds },
    ...result.latencies.figures("call"),
    { name: "failed", unit: "times", value: failed },
    { name: "server", unit: "cores", value: cpuSeconds / seconds },
    { name: "resident", unit: "MiB", value: memory.resident },
    { name: "load", unit: "cores of the load", value: result.ownCores },
  ];
}
