import { registerWorkload } from "../../deploy/local/user-entry.ts";
import { BareWorkload } from "../support/bare-workload.ts";
import { ForeignWorkload } from "../support/foreign-workload.ts";
import type { Bench } from "./bench.ts";
import { Latencies } from "./latencies.ts";
import { restMs } from "./memory.ts";
import { memoryFigures, memoryOf } from "./process-usage.ts";

const answers = 300;

/** What the agent takes for processes that one entry selects, a stream each, and how soon another of them is answered. Needs root. */
export async function benchInstances(bench: Bench): Promise<void> {
  const { machine, signal, count = 100 } = bench;
  const uid = process.getuid?.();
  if (uid !== 0) {
    bench.print("instances: left out, asking as many processes as root may needs root");
    return;
  }
  const { child, workloadSocket } = await bench.agent();
  await registerWorkload(machine, { path: "/bench/instances", selectors: ["unix:uid:0"] }, signal);
  await using stack = new AsyncDisposableStack();
  const workloads = Array.from({ length: count }, () =>
    stack.use(ForeignWorkload.start(workloadSocket, uid)),
  );
  await Promise.all(workloads.map(({ first }) => first));
  const latencies = new Latencies();
  for (let round = 0; round < answers; round++) {
    await latencies.time(async () => {
      using workload = new BareWorkload(workloadSocket);
      await workload.fetchIds(signal);
    });
  }
  bench.report(`first answer beside ${count} instances of the same entry`, latencies.figures());
  await bench.pause(restMs);
  bench.report(
    `agent with ${count} instances of one entry`,
    memoryFigures(await memoryOf(child.pid)),
  );
}
