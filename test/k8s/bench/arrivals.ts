// From a pod that is asked for to its first SVID.

import { Latencies } from "../../bench/latencies.ts";
import { createServiceAccount } from "../world/world.ts";
import { type Bench, Crew, pause, Tally } from "./bench.ts";
import { BenchPod, namespace } from "./bench-pod.ts";
import { type Figure, latencyFigure } from "./figure.ts";

/** Pods one by one, each first with a service account of its own, then a second one with the same. */
export async function benchArrivals(bench: Bench): Promise<readonly Figure[]> {
  const { cluster, count } = bench;
  const asked = new Latencies();
  const first = new Tally();
  const second = new Tally();
  for (let round = 0; round < count; round++) {
    const account = `arrival-${round}`;
    await createServiceAccount(cluster, namespace, account);
    const pods: BenchPod[] = [];
    for (const [name, tally] of [["a", first] as const, ["b", second] as const]) {
      const pod = await BenchPod.create(cluster, `arrival-${round}-${name}`, account);
      pods.push(pod);
      const startedMs = await addArrival(pod, tally);
      if (startedMs !== undefined) asked.add(startedMs - pod.askedAt);
      await pause(bench, 200, 1_200);
    }
    await Promise.all(pods.map((pod) => pod.delete()));
  }
  return [
    latencyFigure("pod asked for -> process start", asked),
    latencyFigure("process start -> first SVID, new pod", first.times, first),
    latencyFigure("the same, second pod of a service account", second.times, second),
  ];
}

/** Many pods at the same moment. */
export async function benchCrowd(bench: Bench): Promise<readonly Figure[]> {
  const size = 50;
  const tally = new Tally();
  await using crew = await Crew.start(bench, "crowd", size);
  let lastStart = 0;
  let lastAnswer = 0;
  for (const pod of crew.pods) {
    lastStart = Math.max(lastStart, (await addArrival(pod, tally)) ?? 0);
    lastAnswer = Math.max(lastAnswer, (await pod.identity())?.at ?? 0);
  }
  const after = new Latencies();
  after.add(Math.max(0, lastAnswer - lastStart));
  return [
    latencyFigure(`${size} pods at once: process start -> SVID`, tally.times, tally),
    latencyFigure(`${size} pods at once: last process start -> last SVID`, after),
  ];
}

/** Counts a pod's way from process to SVID. @returns when its process started, if it did */
async function addArrival(pod: BenchPod, tally: Tally): Promise<number | undefined> {
  const start = await pod.start();
  const answer = await pod.identity();
  if (start === undefined || answer === undefined) {
    tally.lost += 1;
    return start?.at;
  }
  tally.times.add(answer.at - start.at);
  tally.refused += await pod.refusals(start.at, answer.at);
  return start.at;
}
