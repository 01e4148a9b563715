import { registerUser } from "../../deploy/local/user-entry.ts";
import { fetchIds } from "../../deploy/local/workload-call.ts";
import { BareWorkload } from "../support/bare-workload.ts";
import { eventually } from "../support/eventually.ts";
import type { Bench } from "./bench.ts";
import { Latencies } from "./latencies.ts";
import { cpuSeconds } from "./process-usage.ts";

/** From the start of an agent's process to the first X509-SVID, out of its state file: the server is away. */
export async function benchRestart(bench: Bench): Promise<void> {
  const { machine, signal, count = 10 } = bench;
  const { workloadSocket } = await bench.agent();
  await registerUser(machine, signal);
  await eventually("the identity", async () =>
    (await fetchIds(workloadSocket, signal)).length > 0 ? true : undefined,
  );
  // The state is written a moment after what it tells of.
  await bench.pause(1_000);
  await bench.server[Symbol.asyncDispose]();
  const latencies = new Latencies();
  let cpu = 0;
  for (let round = 0; round < count; round++) {
    await machine.agent[Symbol.asyncDispose]();
    const answered = latencies.time(() => untilAnswered(workloadSocket, signal));
    const [{ child }] = await Promise.all([machine.startAgent(), answered]);
    cpu += await cpuSeconds(child.pid);
  }
  bench.report("agent started without its server, until its first answer", [
    ...latencies.figures(),
    { name: "processor time", unit: "ms", value: (cpu * 1000) / count },
  ]);
}

function untilAnswered(socket: string, signal: AbortSignal): Promise<true> {
  const ask = async (): Promise<true> => {
    using workload = new BareWorkload(socket);
    await workload.fetchIds(signal);
    return true;
  };
  return eventually("an answer", ask, { intervalMs: 2 });
}
