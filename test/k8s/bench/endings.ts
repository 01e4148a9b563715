// The end of a pod is the end of its entry.

import { eventually } from "../../support/eventually.ts";
import { Admin } from "../world/admin.ts";
import { type Bench, Crew, pause, Tally } from "./bench.ts";
import type { BenchPod } from "./bench-pod.ts";
import { type Figure, latencyFigure } from "./figure.ts";

/** Both are asked for all the time, so each is known to about this. */
const intervalMs = 10;

/** From the end of a pod's object to the end of its entry, which may come first; it then counts as nothing. */
export async function benchEndings(bench: Bench): Promise<readonly Figure[]> {
  const tally = new Tally();
  using admin = await Admin.open(bench.cluster);
  await using crew = await Crew.start(bench, "ending", bench.count);
  for (const pod of crew.pods) {
    await pod.delete();
    const [objectGone, entryGone] = await Promise.all([
      timeOf(() => pod.isGone()),
      timeOf(() => hasNoEntry(admin, pod)),
    ]);
    if (objectGone === undefined || entryGone === undefined) tally.lost += 1;
    else tally.times.add(Math.max(0, entryGone - objectGone));
    await pause(bench, 100, 800);
  }
  return [latencyFigure("pod object gone -> entry gone", tally.times, { lost: tally.lost })];
}

async function hasNoEntry(admin: Admin, pod: BenchPod): Promise<boolean> {
  return (await admin.entriesOf(pod.uid)).length === 0;
}

/** When it became true, or undefined when it did not in a minute. */
function timeOf(isSo: () => Promise<boolean>): Promise<number | undefined> {
  const probe = async (): Promise<number | undefined> => ((await isSo()) ? Date.now() : undefined);
  return eventually("an end", probe, { timeoutMs: 60_000, intervalMs }).catch(() => undefined);
}
