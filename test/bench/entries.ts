import { Entry } from "../../proto/gen/spire/api/server/entry/v1/entry_pb.ts";
import type { Bench } from "./bench.ts";
import { formatMs, Latencies } from "./latencies.ts";
import { measureUsage, memoryOf } from "./process-usage.ts";

const perAgent = 100;

/** Entries created in batches of 500 through BatchCreateEntry, 100 an agent; then what they cost at rest and at a start. */
export async function benchEntries(bench: Bench): Promise<void> {
  const { machine, server, signal, count = 100_000 } = bench;
  const { trustDomain } = machine;
  const { pid } = server.child;
  const entry = server.client(Entry);
  const latencies = new Latencies();
  const batch = 500;
  const usage = await measureUsage(pid, async () => {
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
  });
  const { resident, anonymous, peak } = await memoryOf(pid);
  bench.print(
    `entries, ${count} in batches of ${batch}: ${Math.round(count / usage.seconds)}/s, ${usage.cpuSeconds.toFixed(1)} core-seconds, batch ${latencies}, memory ${resident} MiB (${anonymous} anonymous), peak ${peak}`,
  );
  const idle = await measureUsage(pid, () => bench.pause(5000));
  bench.print(`entries, idle: ${(idle.cpuSeconds / idle.seconds).toFixed(3)} cores`);
  const started = performance.now();
  await machine.startServer();
  bench.print(
    `entries, start of a server that holds them: ${formatMs(performance.now() - started)}`,
  );
}
