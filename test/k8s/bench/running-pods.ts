// What happens to pods that run already: new processes and containers, and changes of what they are.

import { type Bench, Crew, pause, resource, Tally } from "./bench.ts";
import type { BenchPod } from "./bench-pod.ts";
import { type Figure, latencyFigure } from "./figure.ts";

const crewSize = 10;

/** A new process in the container of a pod that is known. */
export function benchNewProcess(bench: Bench): Promise<readonly Figure[]> {
  return benchAnew(bench, "process", "SIGUSR1", "new process in a running pod -> SVID");
}

/** A new container in the place of one that was killed: the kubelet has yet to tell of it. */
export function benchNewContainer(bench: Bench): Promise<readonly Figure[]> {
  return benchAnew(bench, "container", "SIGKILL", "container restarted -> SVID");
}

async function benchAnew(
  bench: Bench,
  name: string,
  signal: NodeJS.Signals,
  title: string,
): Promise<readonly Figure[]> {
  const tally = new Tally();
  // The kubelet waits ever longer before it starts the same container again, so each pod gives few of them.
  const size = signal === "SIGKILL" ? bench.count : crewSize;
  await using crew = await Crew.start(bench, name, size);
  for (let round = 0; round < bench.count; round++) {
    const pod = crew.pods[round % size];
    if (pod === undefined) break;
    const since = Date.now();
    await pod.signal(signal);
    const start = await pod.start(since);
    const answer = start === undefined ? undefined : await pod.identity(start.at);
    if (start === undefined || answer === undefined) tally.lost += 1;
    else {
      tally.times.add(answer.at - start.at);
      tally.refused += await pod.refusals(start.at, answer.at);
    }
    await pause(bench, 100, 600);
  }
  return [latencyFigure(title, tally.times, tally)];
}

/** A change of the resource that gives all pods their identity, until the last stream has it. */
export async function benchChange(bench: Bench): Promise<readonly Figure[]> {
  const { cluster, count } = bench;
  const tally = new Tally();
  await using crew = await Crew.start(bench, "change", crewSize);
  for (let round = 0; round < count; round++) {
    const name = `round${round}.example.test`;
    const since = Date.now();
    await cluster.client.patch(resource, { spec: { dnsNameTemplates: [name] } });
    const answers = await Promise.all(
      crew.pods.map((pod) => pod.first(({ dns }) => dns?.includes(name) === true, { since })),
    );
    tally.lost += answers.filter((line) => line === undefined).length;
    tally.times.add(Math.max(...answers.map((line) => line?.at ?? since)) - since);
    for (const pod of crew.pods) tally.refused += await pod.refusals(since, Date.now());
    await pause(bench, 300, 1_500);
  }
  await cluster.client.patch(resource, { spec: { dnsNameTemplates: null } });
  return [
    latencyFigure(`DNS template changed -> all of ${crewSize} pods have it`, tally.times, tally),
  ];
}

/** A pod loses the label that gives it its identity, and gets it back. */
export async function benchLabel(bench: Bench): Promise<readonly Figure[]> {
  const taken = new Tally();
  const given = new Tally();
  await using crew = await Crew.start(bench, "label", crewSize);
  for (let round = 0; round < bench.count; round++) {
    const pod = crew.pods[round % crewSize];
    if (pod === undefined) break;
    await addTime(taken, pod, "refused", () => pod.label(null));
    await pause(bench, 0, 1_500);
    await addTime(given, pod, "identity", () => pod.label("on"));
    // Its client forgets its refusals only once it was answered.
    await pause(bench, 300, 1_000);
  }
  return [
    latencyFigure("label taken away -> stream ends", taken.times, { lost: taken.lost }),
    latencyFigure("label given back -> SVID", given.times, { lost: given.lost }),
  ];
}

async function addTime(
  tally: Tally,
  pod: BenchPod,
  event: "refused" | "identity",
  change: () => Promise<void>,
): Promise<void> {
  const since = Date.now();
  await change();
  const line = await pod.first((candidate) => candidate.event === event, { since });
  if (line === undefined) tally.lost += 1;
  else tally.times.add(line.at - since);
}
