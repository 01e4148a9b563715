import { describeError } from "../../runtime/errors/describe.ts";
import type { Bench } from "./bench.ts";
import { Fleet } from "./fleet.ts";
import { loadFigures, runLoad } from "./load.ts";

/** JWT-SVIDs a second through NewJWTSVID, each for an audience of its own. */
export async function benchJwt(bench: Bench): Promise<void> {
  const { signal, seconds, server } = bench;
  using fleet = await Fleet.open(bench.fleet, { agents: 4, entries: 50 });
  for (const concurrency of [4, 32]) {
    const result = await runLoad({
      pid: server.child.pid,
      concurrency,
      seconds,
      call: async (worker, round) => {
        const { svid, entries } = fleet.member(worker);
        const entryId = entries[round % entries.length]?.id ?? "";
        const audience = [`aud-${round}`];
        await svid.newJWTSVID({ entryId, audience }, { signal, timeoutMs: 30_000 });
        return 1;
      },
    });
    if (result.failed > 0) bench.print(`jwt: a call failed: ${describeError(result.lastError)}`);
    bench.report(`jwt, ${concurrency} callers`, loadFigures(result));
  }
}
