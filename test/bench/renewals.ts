import { registerUser } from "../../deploy/local/user-entry.ts";
import { Entry } from "../../proto/gen/spire/api/server/entry/v1/entry_pb.ts";
import { BareWorkload } from "../support/bare-workload.ts";
import { eventually } from "../support/eventually.ts";
import type { Bench } from "./bench.ts";
import { Latencies } from "./latencies.ts";
import { cpuSeconds } from "./process-usage.ts";

/** A life so short that all of them are renewed while it is measured. */
const ttlSeconds = 60;
/** Time in which each of them is renewed at least once. */
const roundSeconds = 15;
const firstUid = 300_000;

/** First answers of a workload while its agent renews the SVIDs of many others. */
export async function benchRenewals(bench: Bench): Promise<void> {
  const { machine, server, signal, count = 1_000 } = bench;
  const { trustDomain, agentPath } = machine;
  const agent = await bench.agent();
  for (let first = 0; first < count; first += 500) {
    const entries = Array.from({ length: Math.min(500, count - first) }, (_, i) => ({
      spiffeId: { trustDomain, path: `/bench/renewals/${first + i}` },
      parentId: { trustDomain, path: agentPath },
      selectors: [{ type: "unix", value: `uid:${firstUid + first + i}` }],
      x509SvidTtl: ttlSeconds,
    }));
    await server.client(Entry).batchCreateEntry({ entries }, { signal, timeoutMs: 60_000 });
  }
  await registerUser(machine, signal);
  const before = await bench.issued("x509");
  await eventually(
    "an SVID for each",
    async () => ((await bench.issued("x509")) - before >= count / 2 ? true : undefined),
    { timeoutMs: 120_000, intervalMs: 500 },
  );
  // Let what is fetched for the first time be over: the next ones are renewals.
  await bench.pause((ttlSeconds * 1000) / 6);

  const latencies = new Latencies();
  const issued = await bench.issued("x509");
  const cpu = await cpuSeconds(agent.child.pid);
  const end = performance.now() + Math.max(roundSeconds, bench.seconds) * 1000;
  while (performance.now() < end) {
    await latencies.time(async () => {
      using workload = new BareWorkload(agent.workloadSocket);
      await workload.fetchIds(signal);
    });
    await bench.pause(10);
  }
  bench.report(`first answers while an agent renews ${count} SVIDs`, [
    ...latencies.figures(),
    { name: "longest", unit: "ms", value: latencies.quantile(1) },
    { name: "answers", unit: "times", value: latencies.count },
    { name: "renewed", unit: "times", value: (await bench.issued("x509")) - issued },
    { name: "agent", unit: "core-seconds", value: (await cpuSeconds(agent.child.pid)) - cpu },
  ]);
}
