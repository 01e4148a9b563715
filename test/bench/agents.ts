import { LocalAuthority } from "../../proto/gen/spire/api/server/localauthority/v1/localauthority_pb.ts";
import type { Bench } from "./bench.ts";
import { Crowd } from "./crowd.ts";
import { idleCores, measureUsage, memoryFigures, memoryOf } from "./process-usage.ts";

/** Where it is measured on the way. */
const steps = [10, 100, 1_000, 5_000, 10_000];

/**
 * A server with connected agents that have nothing to do: what each costs, how fast a new authority is with all of them, and how fast
 * all are back after the server was restarted.
 */
export async function benchAgents(bench: Bench): Promise<void> {
  const { machine, server, signal, count = 1_000 } = bench;
  const { pid } = server.child;
  const { trustDomain, layout } = machine;
  const place = { adminSocket: layout.adminSocket, address: bench.fleet.address, trustDomain };
  await using crowd = new Crowd(place, signal);
  const before = await memoryOf(pid);
  for (const size of [...steps.filter((step) => step < count), count]) {
    const added = size - crowd.size;
    const { seconds, cpuSeconds } = await measureUsage(pid, () => crowd.growTo(size));
    bench.report(`agents, ${size}`, [
      { name: "attested and connected", unit: "a second", value: added / seconds },
      { name: "processor time each", unit: "ms", value: (cpuSeconds * 1000) / added },
    ]);
    await atRest(bench, size, before.resident);
    await newAuthority(bench, crowd);
  }
  await backAfterRestart(bench, crowd);
}

async function atRest(bench: Bench, size: number, emptyMebibytes: number): Promise<void> {
  const { pid } = bench.server.child;
  // What connecting took is garbage by now, and collected in its own time.
  await bench.pause(15_000);
  const idle = await idleCores(pid, () => bench.pause(10_000));
  const memory = await memoryOf(pid);
  const each = ((memory.resident - emptyMebibytes) * 1024) / size;
  bench.report(`agents, ${size}`, [
    idle,
    { name: "memory each", unit: "KiB", value: each },
    ...memoryFigures(memory),
  ]);
}

async function newAuthority(bench: Bench, crowd: Crowd): Promise<void> {
  const { server, signal } = bench;
  await crowd.mark();
  const { pid } = server.child;
  const authorities = server.client(LocalAuthority);
  const call = { signal, timeoutMs: 60_000 };
  // The second time it takes the place of the first one: a change of the bundle again.
  const { seconds, cpuSeconds } = await measureUsage(pid, async () => {
    await authorities.prepareX509Authority({}, call);
    await crowd.untilInformed();
  });
  bench.report(`agents, ${crowd.size}`, [
    { name: "new authority with all", unit: "ms", value: seconds * 1000 },
    { name: "new authority", unit: "core-seconds", value: cpuSeconds },
  ]);
}

async function backAfterRestart(bench: Bench, crowd: Crowd): Promise<void> {
  const { machine } = bench;
  await crowd.mark();
  await machine.server[Symbol.asyncDispose]();
  const stopped = performance.now();
  await machine.startServer();
  const started = performance.now();
  const { refusals } = crowd;
  await crowd.untilBack();
  bench.report(`agents, ${crowd.size}, after a restart of the server`, [
    { name: "start of the server", unit: "ms", value: started - stopped },
    { name: "all back after it was ready", unit: "ms", value: performance.now() - started },
    {
      name: "refused after it was ready",
      unit: "times",
      value: crowd.refusals - refusals,
    },
  ]);
}
