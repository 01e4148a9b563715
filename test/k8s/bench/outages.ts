// The agent is killed, with the server there and with the server away.

import { systemClock } from "../../../runtime/time/clock.ts";
import { Latencies } from "../../bench/latencies.ts";
import { type Bench, Crew, pause, Tally } from "./bench.ts";
import type { BenchPod } from "./bench-pod.ts";
import { type Figure, latencyFigure } from "./figure.ts";
import { processOf, startedAt } from "./processes.ts";
import { readyPod, replaceAgent, startServer, stopServer } from "./system-pods.ts";

const crewSize = 10;

/** The agent is killed as the kernel would kill it, five times unless more are asked for, under ten open streams. */
export async function benchAgentKilled(bench: Bench): Promise<readonly Figure[]> {
  const { cluster, count } = bench;
  const kills = Math.max(5, Math.ceil(count / crewSize));
  const measured = new Kills();
  await using crew = await Crew.start(bench, "kill", crewSize);
  for (let round = 0; round < kills; round++) {
    await measured.add(bench, crew.pods);
    await replaceAgent(cluster);
    await pause(bench, 2_000, 4_000);
  }
  const { process, sinceProcess, all } = measured;
  return [
    latencyFigure("agent killed -> its new process", process),
    latencyFigure("agent's new process -> streams back", sinceProcess),
    latencyFigure("agent killed -> streams back", all.times, all),
  ];
}

/** The same without a server; then the server returns, which should interrupt nobody. */
export async function benchServerAway(bench: Bench): Promise<readonly Figure[]> {
  const { cluster } = bench;
  const measured = new Kills();
  await using crew = await Crew.start(bench, "away", crewSize);
  await stopServer(cluster);
  await measured.add(bench, crew.pods);
  const returned = Date.now();
  await startServer(cluster);
  await systemClock.sleep(watchMs, bench.signal);
  let interrupted = 0;
  for (const pod of crew.pods) interrupted += await pod.refusals(returned, Date.now());
  return [
    latencyFigure("server stopped, agent killed -> streams back", measured.all.times, measured.all),
    {
      name: "streams interrupted by the server's return",
      count: crewSize,
      refused: interrupted,
    },
  ];
}

/** How long we look after the server's return. */
const watchMs = 20_000;

/** What is known of some kills of the agent. */
class Kills {
  readonly process = new Latencies();
  readonly sinceProcess = new Latencies();
  readonly all = new Tally();

  /** Kills the agent and waits for every pod's next SVID. A broken stream counts as refused only after its first retry. */
  async add({ cluster, print }: Bench, pods: readonly BenchPod[]): Promise<void> {
    const agent = (await readyPod(cluster, "assay-agent")).metadata.uid ?? "";
    const killedAt = Date.now();
    process.kill(await processOf(agent, "assay"), "SIGKILL");
    const back = await Promise.all(pods.map((pod) => pod.identity(killedAt, 75_000)));
    const startAt = await startedAt(await processOf(agent, "assay"));
    this.process.add(startAt - killedAt);
    for (const [index, line] of back.entries()) {
      if (line === undefined) {
        this.all.lost += 1;
        continue;
      }
      this.all.times.add(line.at - killedAt);
      this.sinceProcess.add(line.at - startAt);
      const broken = (await pods[index]?.refusals(killedAt, line.at)) ?? 0;
      this.all.refused += Math.max(0, broken - 1);
    }
    const times = back.map((line) => (line === undefined ? "-" : Math.round(line.at - killedAt)));
    print(
      `  agent's process after ${Math.round(startAt - killedAt)} ms, streams ${times.join(" ")}`,
    );
  }
}
