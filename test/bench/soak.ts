import { registerWorkload } from "../../deploy/local/user-entry.ts";
import { Entry } from "../../proto/gen/spire/api/server/entry/v1/entry_pb.ts";
import { BareAgent } from "../support/bare-agent.ts";
import { BareWorkload } from "../support/bare-workload.ts";
import { eventually } from "../support/eventually.ts";
import type { Bench } from "./bench.ts";
import { type Memory, memoryOf } from "./process-usage.ts";
import { SyncedAgent } from "./synced-agent.ts";

const agentCount = 20;
const standing = 20;
const sampleMs = 60_000;

/**
 * Entries that come and go, streams that open and end, agents that come back, for as long as is asked: memory must stay what it is
 * after the first minutes.
 */
export async function benchSoak(bench: Bench): Promise<void> {
  const { server, minutes } = bench;
  const agent = await bench.agent();
  const over = new AbortController();
  const signal = AbortSignal.any([bench.signal, over.signal]);
  await using stack = new AsyncDisposableStack();
  const agents: SyncedAgent[] = [];
  for (let n = 0; n < agentCount; n++) {
    agents.push(stack.use(new SyncedAgent(await BareAgent.attest(bench.fleet))));
  }
  const done = { entries: 0, streams: 0, reconnects: 0 };
  const churns = [
    churn(signal, () => changeEntries(bench, done)),
    churn(signal, async () => {
      using workload = new BareWorkload(agent.workloadSocket);
      await workload.fetchIds(signal);
      done.streams += 1;
      await bench.pause(20);
    }),
    churn(signal, async () => {
      const index = Math.floor(Math.random() * agents.length);
      agents[index]?.reconnect();
      done.reconnects += 1;
      await bench.pause(200);
    }),
  ];
  const samples: { readonly server: Memory; readonly agent: Memory }[] = [];
  for (let minute = 1; minute <= minutes; minute++) {
    await bench.pause(sampleMs);
    const sample = {
      server: await memoryOf(server.child.pid),
      agent: await memoryOf(agent.child.pid),
    };
    samples.push(sample);
    bench.report(`soak, minute ${minute}`, [
      { name: "server", unit: "MiB", value: sample.server.resident },
      { name: "agent", unit: "MiB", value: sample.agent.resident },
    ]);
  }
  over.abort();
  await Promise.all(churns);
  bench.report(`soak of ${minutes} minutes`, [
    { name: "entries created and deleted", unit: "times", value: done.entries },
    { name: "first answers", unit: "times", value: done.streams },
    { name: "streams of agents ended", unit: "times", value: done.reconnects },
    { name: "growth of the server", unit: "MiB", value: growth(samples.map((s) => s.server)) },
    { name: "growth of the agent", unit: "MiB", value: growth(samples.map((s) => s.agent)) },
  ]);
}

/** Some entries more, and as many less. */
async function changeEntries(bench: Bench, done: { entries: number }): Promise<void> {
  const { machine, server } = bench;
  const call = { signal: bench.signal, timeoutMs: 30_000 };
  const selectors = [`unix:uid:${process.getuid?.() ?? 0}`];
  const ids: string[] = [];
  for (let n = 0; n < standing; n++) {
    const path = `/bench/soak/${done.entries + n}`;
    ids.push(await registerWorkload(machine, { path, selectors }, bench.signal));
    await bench.pause(20);
  }
  await server.client(Entry).batchDeleteEntry({ ids }, call);
  done.entries += standing;
}

/** Does it again and again until the signal aborts. A call that met a moment without identity is no failure. */
async function churn(signal: AbortSignal, act: () => Promise<void>): Promise<void> {
  while (!signal.aborted) {
    await eventually("a round of churn", () => act().then(() => true)).catch((error: unknown) => {
      if (!signal.aborted) throw error;
    });
  }
}

/** Resident memory of the last third less that of the third before it; the first one is warming up. */
function growth(samples: readonly Memory[]): number {
  const third = Math.floor(samples.length / 3);
  const mean = (part: readonly Memory[]): number =>
    part.reduce((sum, { resident }) => sum + resident, 0) / part.length;
  return mean(samples.slice(2 * third)) - mean(samples.slice(third, 2 * third));
}
