import { describeError } from "../../runtime/errors/describe.ts";
import type { Bench } from "./bench.ts";
import { Fleet, makeRequests } from "./fleet.ts";
import { loadFigures, runLoad } from "./load.ts";

/** CSRs made beforehand for one measurement. */
const csrCount = 10_000;

/** X509-SVIDs a second through BatchNewX509SVID: full batches, and one by one by few and by many callers. */
export async function benchIssue(bench: Bench): Promise<void> {
  for (const { concurrency, batch } of [
    { concurrency: 4, batch: 50 },
    { concurrency: 4, batch: 1 },
    { concurrency: 32, batch: 1 },
  ]) {
    await measure(bench, concurrency, batch);
  }
}

async function measure(bench: Bench, concurrency: number, batch: number): Promise<void> {
  const { signal, seconds, server } = bench;
  using fleet = await Fleet.open(bench.fleet, { agents: 4, entries: batch });
  const perMember = Math.max(1, Math.floor(csrCount / batch / fleet.members.length));
  const requests = fleet.members.map((member) => makeRequests(member, perMember));
  const result = await runLoad({
    pid: server.child.pid,
    concurrency,
    seconds,
    call: async (worker, round) => {
      const index = worker % fleet.members.length;
      const request = requests[index]?.[(worker * 31 + round) % perMember];
      const call = { signal, timeoutMs: 30_000 };
      const { results } = await fleet.member(index).svid.batchNewX509SVID(request ?? {}, call);
      const refused = results.find(({ status }) => status?.code !== 0);
      if (refused !== undefined) throw new Error(refused.status?.message ?? "no status");
      return results.length;
    },
  });
  if (result.failed > 0) bench.print(`issue: a call failed: ${describeError(result.lastError)}`);
  bench.report(`issue, batches of ${batch}, ${concurrency} callers`, loadFigures(result));
}
