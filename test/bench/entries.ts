import { Entry } from "../../proto/gen/spire/api/server/entry/v1/entry_pb.ts";
import type { Bench } from "./bench.ts";
import { Latencies } from "./latencies.ts";
import { cpuSeconds, idleCores, measureUsage, memoryFigures, memoryOf } from "./process-usage.ts";
import { measurePush } from "./push.ts";

const perAgent = 100;
const batch = 500;
const restMs = 10_000;

/**
 * Entries created in batches of 500 through BatchCreateEntry, 100 an agent; then what a change costs among so many, what they cost at
 * rest, and how long a start takes.
 */
export async function benchEntries(bench: Bench): Promise<void> {
  const { machine, server, count = 100_000 } = bench;
  const { pid } = server.child;
  const latencies = new Latencies();
  const usage = await measureUsage(pid, () => createEntries(bench, count, latencies));
  bench.report(`entries, ${count} in batches of ${batch}`, [
    { name: "rate", unit: "a second", value: count / usage.seconds },
    { name: "rate of a core", unit: "per core-second", value: count / usage.cpuSeconds },
    ...latencies.figures("batch"),
    ...memoryFigures(await memoryOf(pid)),
  ]);
  await measurePush(bench, `push among ${count} entries`, 20);
  await machine.agent[Symbol.asyncDispose]();
  await bench.pause(restMs);
  const row = `server with ${count} entries`;
  bench.report(`${row}, that created them`, [
    await idleCores(pid, () => bench.pause(restMs)),
    ...memoryFigures(await memoryOf(pid)),
  ]);

  await machine.server[Symbol.asyncDispose]();
  const started = performance.now();
  const fresh = await machine.startServer();
  const startMs = performance.now() - started;
  const startCpuMs = (await cpuSeconds(fresh.child.pid)) * 1000;
  await bench.pause(restMs);
  bench.report(`${row}, started anew`, [
    { name: "start", unit: "ms", value: startMs },
    { name: "processor time of the start", unit: "ms", value: startCpuMs },
    await idleCores(fresh.child.pid, () => bench.pause(restMs)),
    ...memoryFigures(await memoryOf(fresh.child.pid)),
  ]);
}

/** Creates entries that nobody asks for, batch after batch, each as one call. */
async function createEntries(
  { machine: { trustDomain }, server, signal }: Bench,
  count: number,
  latencies: Latencies,
): Promise<void> {
  const entry = server.client(Entry);
  for (let start = 0; start < count; start += batch) {
    const entries = Array.from({ length: Math.min(batch, count - start) }, (_, i) => {
      const n = start + i;
      return {
        spiffeId: { trustDomain, path: `/bench/${n}` },
        parentId: { trustDomain, path: `/spire/agent/join_token/${Math.floor(n / perAgent)}` },
        selectors: [
          { type: "k8s", value: `ns:ns-${n % 500}` },
          { type: "k8s", value: `sa:sa-${n}` },
        ],
      };
    });
    const call = { signal, timeoutMs: 60_000 };
    const { results } = await latencies.time(() => entry.batchCreateEntry({ entries }, call));
    const refused = results.find(({ status }) => status?.code !== 0);
    if (refused !== undefined) throw new Error(refused.status?.message ?? "no status");
  }
}
