import { registerWorkload } from "../../deploy/local/user-entry.ts";
import { ForeignWorkload } from "../support/foreign-workload.ts";
import type { Bench } from "./bench.ts";
import { idleCores, memoryFigures, memoryOf } from "./process-usage.ts";

const firstUid = 200_000;

/** By then an agent that has nothing to do has given back what it does not need. */
export const restMs = 45_000;

/** What the agent takes for workloads with an entry, a process and a stream each, every one a user of its own. Needs root. */
export async function benchMemory(bench: Bench): Promise<void> {
  const { machine, signal, count = 100 } = bench;
  if (process.getuid?.() !== 0) {
    bench.print("memory: left out, starting processes of other users needs root");
    return;
  }
  const agent = await bench.agent();
  const { pid } = agent.child;
  const print = async (title: string): Promise<void> => {
    bench.report(title, memoryFigures(await memoryOf(pid)));
  };
  await print("agent without workloads, just started");
  await bench.pause(restMs);
  await print("agent without workloads");
  await using stack = new AsyncDisposableStack();
  const workloads: ForeignWorkload[] = [];
  for (let index = 0; index < count; index++) {
    const uid = firstUid + index;
    const workload = { path: `/bench/memory/${index}`, selectors: [`unix:uid:${uid}`] };
    await registerWorkload(machine, workload, signal);
    workloads.push(stack.use(ForeignWorkload.start(agent.workloadSocket, uid)));
  }
  await Promise.all(workloads.map(({ first }) => first));
  await print(`agent with ${count} workloads, just served`);
  await bench.pause(restMs);
  await print(`agent with ${count} workloads`);
  const idle = await idleCores(pid, () => bench.pause(10_000));
  bench.report(`agent with ${count} workloads`, [idle]);
  bench.report(
    `server of an agent with ${count} workloads`,
    memoryFigures(await memoryOf(bench.server.child.pid)),
  );
}
