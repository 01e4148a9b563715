import { registerWorkload } from "../../deploy/local/user-entry.ts";
import { Entry } from "../../proto/gen/spire/api/server/entry/v1/entry_pb.ts";
import { BareWorkload } from "../support/bare-workload.ts";
import type { Bench } from "./bench.ts";
import { Latencies } from "./latencies.ts";
import { StreamWatch } from "./stream-watch.ts";

/** From an admin call to its effect in a workload's open stream: an entry created, and an entry deleted. */
export function benchPush(bench: Bench): Promise<void> {
  return measurePush(bench, "push", bench.count ?? 50);
}

/** The same, on a server in whatever state it is. */
export async function measurePush(bench: Bench, row: string, count: number): Promise<void> {
  const { machine, server, signal } = bench;
  const { trustDomain } = machine;
  const { workloadSocket } = await bench.agent();
  const entry = server.client(Entry);
  const selectors = [`unix:uid:${process.getuid?.() ?? 0}`];
  const create = (path: string): Promise<string> =>
    registerWorkload(machine, { path, selectors }, signal);
  // A standing entry keeps the stream open between the others.
  await create("/bench/base");
  using workload = new BareWorkload(workloadSocket);
  await using stream = new StreamWatch((stop) => workload.watchIds(stop));
  await stream.until((ids) => ids.has(`spiffe://${trustDomain}/bench/base`));
  const created = new Latencies();
  const deleted = new Latencies();
  for (let round = 0; round < count; round++) {
    const path = `/bench/push/${round}`;
    const id = `spiffe://${trustDomain}${path}`;
    // Pauses of different lengths, so that a rhythm of the server's own would show.
    await bench.pause((round * 137) % 500);
    const entryId = await created.time(async () => {
      const made = await create(path);
      await stream.until((ids) => ids.has(id));
      return made;
    });
    await bench.pause((round * 271) % 500);
    await deleted.time(async () => {
      await entry.batchDeleteEntry({ ids: [entryId] }, { signal, timeoutMs: 10_000 });
      await stream.until((ids) => !ids.has(id));
    });
  }
  bench.report(`${row}, entry created to SVID in the stream`, created.figures());
  bench.report(`${row}, entry deleted to gone from the stream`, deleted.figures());
}
