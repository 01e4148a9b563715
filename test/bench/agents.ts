import { LocalAuthority } from "../../proto/gen/spire/api/server/localauthority/v1/localauthority_pb.ts";
import { BareAgent } from "../support/bare-agent.ts";
import { eventually } from "../support/eventually.ts";
import type { Bench } from "./bench.ts";
import { formatMs } from "./latencies.ts";
import { measureUsage, memoryOf } from "./process-usage.ts";
import { SyncedAgent } from "./synced-agent.ts";

/** How many attest at a time. */
const attesting = 16;

/**
 * A server with many connected agents that have nothing to do: what each costs, how fast a new authority is with all of them, and
 * how fast all are back after the server was restarted.
 */
export async function benchAgents(bench: Bench): Promise<void> {
  const { server, signal, count = 1_000 } = bench;
  await using stack = new AsyncDisposableStack();
  const agents: SyncedAgent[] = [];
  const before = await memoryOf(server.child.pid);
  const attested = await measureUsage(server.child.pid, async () => {
    const places = Array.from({ length: count }).values();
    const attestSome = async (): Promise<void> => {
      for (const _ of places) {
        const agent = await BareAgent.attest({ ...bench.fleet, signal });
        agents.push(stack.use(new SyncedAgent(agent)));
      }
    };
    await Promise.all(Array.from({ length: attesting }, attestSome));
    await until(agents, ({ streams }) => streams > 0);
  });
  bench.print(
    `agents, ${count} attested and synchronised in ${formatMs(attested.seconds * 1000)}, ${((attested.cpuSeconds / count) * 1000).toFixed(1)} ms of processor time each`,
  );
  // What connecting took is garbage by now, and collected in its own time.
  await bench.pause(5_000);
  const idle = await measureUsage(server.child.pid, () => bench.pause(10_000));
  const after = await memoryOf(server.child.pid);
  const each = ((after.resident - before.resident) * 1024) / count;
  bench.print(
    `agents, ${count} idle: ${each.toFixed(0)} KiB each (server ${before.resident} -> ${after.resident} MiB), ${(idle.cpuSeconds / idle.seconds).toFixed(3)} cores`,
  );
  await newAuthority(bench, agents);
  await backAfterRestart(bench, agents);
}

async function backAfterRestart({ machine, print }: Bench, agents: SyncedAgent[]): Promise<void> {
  const streams = agents.map((agent) => agent.streams);
  const stopping = performance.now();
  await machine.server[Symbol.asyncDispose]();
  const stopped = performance.now();
  await machine.startServer();
  const started = performance.now();
  const failures = sum(agents.map((agent) => agent.failures));
  await until(agents, (agent, index) => agent.streams > (streams[index] ?? 0));
  const end = performance.now();
  const inVain = sum(agents.map((agent) => agent.failures)) - failures;
  print(
    `agents, ${agents.length} back after a restart of the server: ${formatMs(end - started)} after it was ready, which took ${formatMs(stopped - stopping)} to stop and ${formatMs(started - stopped)} to start; ${inVain} attempts in vain once it was ready`,
  );
}

async function newAuthority(
  { server, signal, print }: Bench,
  agents: SyncedAgent[],
): Promise<void> {
  const known = agents.map(({ authorities }) => authorities);
  const { result, seconds, cpuSeconds } = await measureUsage(server.child.pid, async () => {
    const started = performance.now();
    await server.client(LocalAuthority).prepareX509Authority({}, { signal, timeoutMs: 60_000 });
    const answered = performance.now();
    await until(agents, ({ authorities }, index) => authorities > (known[index] ?? 0));
    return { prepareMs: answered - started };
  });
  print(
    `agents, a new authority with all ${agents.length}: ${formatMs(seconds * 1000)} (the call itself ${formatMs(result.prepareMs)}), ${cpuSeconds.toFixed(2)} core-seconds`,
  );
}

function until(
  agents: readonly SyncedAgent[],
  fits: (agent: SyncedAgent, index: number) => boolean,
): Promise<true> {
  const all = async (): Promise<true | undefined> => (agents.every(fits) ? true : undefined);
  return eventually("all agents", all, { intervalMs: 5, timeoutMs: 120_000 });
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, each) => total + each, 0);
}
