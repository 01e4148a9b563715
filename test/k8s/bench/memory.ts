// What the product's processes take.

import { systemClock } from "../../../runtime/time/clock.ts";
import type { Cluster } from "../cluster/cluster.ts";
import { type Bench, Crew } from "./bench.ts";
import type { Figure } from "./figure.ts";
import { processesOf, residentOf } from "./processes.ts";
import { readyPod, replaceAgent } from "./system-pods.ts";

/** By then an agent that has nothing to do has given back what it does not need. */
const REST_MS = 45_000;

/** Memory of a fresh agent with 1, 50 and 100 pods, each of them made at once and left alone for a while, and of the server with 100. */
export async function benchMemory(bench: Bench): Promise<readonly Figure[]> {
  const { cluster } = bench;
  await replaceAgent(cluster);
  await using stack = new AsyncDisposableStack();
  const figures: Figure[] = [];
  let pods = 0;
  for (const [name, more] of [
    ["one", 1] as const,
    ["fifty", 49] as const,
    ["hundred", 50] as const,
  ]) {
    stack.use(await Crew.start(bench, `memory-${name}`, more));
    pods += more;
    await systemClock.sleep(REST_MS, bench.signal);
    const title = `agent, ${pods} pod${pods === 1 ? "" : "s"}`;
    figures.push({ name: title, p50: await memoryOf(cluster, "assay-agent") });
  }
  figures.push({
    name: `server and registrar, ${pods} pods`,
    p50: await memoryOf(cluster, "assay-server"),
  });
  return figures;
}

async function memoryOf(cluster: Cluster, part: string): Promise<string> {
  const { metadata } = await readyPod(cluster, part);
  let [all, anonymous] = [0, 0];
  for (const pid of await processesOf(metadata.uid ?? "", "assay")) {
    const resident = await residentOf(pid);
    all += resident.all;
    anonymous += resident.anonymous;
  }
  return `${all.toFixed(0)} MB (${anonymous.toFixed(0)})`;
}
