import { registerUser } from "../../deploy/local/user-entry.ts";
import { fetchIds } from "../../deploy/local/workload-call.ts";
import { BareWorkload } from "../support/bare-workload.ts";
import { eventually } from "../support/eventually.ts";
import type { Bench } from "./bench.ts";
import { Latencies } from "./latencies.ts";
import { cpuSeconds, memoryFigures, memoryOf } from "./process-usage.ts";

/** From a new connection to the first X509-SVID of a caller that has one. */
export async function benchFirstAnswer(bench: Bench): Promise<void> {
  const { machine, signal, count = 300 } = bench;
  const { workloadSocket, child } = await bench.agent();
  await registerUser(machine, signal);
  // The first answer of all waits for the push; the others are what is measured.
  await eventually("the identity", async () =>
    (await fetchIds(workloadSocket, signal)).length > 0 ? true : undefined,
  );
  const latencies = new Latencies();
  const before = await cpuSeconds(child.pid);
  for (let round = 0; round < count; round++) {
    await latencies.time(async () => {
      using workload = new BareWorkload(workloadSocket);
      await workload.fetchIds(signal);
    });
  }
  const cpuMs = ((await cpuSeconds(child.pid)) - before) * 1000;
  bench.report("first answer on a new connection", [
    ...latencies.figures(),
    { name: "processor time of the agent", unit: "ms", value: cpuMs / count },
  ]);
  bench.report(`agent after ${count} first answers`, memoryFigures(await memoryOf(child.pid)));
}
