import { glob } from "node:fs/promises";
import { join } from "node:path";
import { getHeapStatistics } from "node:v8";
import { root } from "../support/sources.ts";
import type { Figure } from "./figures.ts";

/** One call of a hot function. What it returns is kept alive, so that nothing is optimised away. */
export interface MicroBench {
  readonly name: string;
  readonly call: () => unknown;
}

const warmMs = 200;
const measuredMs = 400;
/** Between two looks at the clock. */
const calls = 64;

/** Runs every `*.bench.ts` beside the code. Each exports `benches`, a list of {@link MicroBench}. */
export async function runMicro(
  signal: AbortSignal,
  report: (row: string, figures: readonly Figure[]) => void,
): Promise<void> {
  const exclude = ["**/node_modules", "dist"];
  const paths = await Array.fromAsync(glob("**/*.bench.ts", { cwd: root, exclude }));
  for (const path of paths.sort()) {
    const { benches }: { readonly benches: readonly MicroBench[] } = await import(join(root, path));
    for (const { name, call } of benches) {
      signal.throwIfAborted();
      report(`${path}: ${name}`, await measureCalls(call));
    }
  }
}

/** Time and bytes of the heap for each call, once it is warm. */
export async function measureCalls(call: () => unknown): Promise<readonly Figure[]> {
  await callFor(call, warmMs);
  const before = getHeapStatistics().total_allocated_bytes;
  const { count, ms } = await callFor(call, measuredMs);
  const bytes = getHeapStatistics().total_allocated_bytes - before;
  return [
    { name: "time of a call", unit: "ns", value: (ms * 1e6) / count },
    { name: "allocated by a call", unit: "bytes", value: bytes / count },
  ];
}

let kept: unknown;

async function callFor(
  call: () => unknown,
  forMs: number,
): Promise<{ readonly count: number; readonly ms: number }> {
  const started = performance.now();
  let count = 0;
  do {
    for (let n = 0; n < calls; n++) {
      kept = call();
      // Only where there is something to wait for: a turn of the promises costs more than most calls.
      if (kept instanceof Promise) await kept;
    }
    count += calls;
  } while (performance.now() - started < forMs);
  return { count, ms: performance.now() - started };
}
