// `node test/bench/issue-core.ts [SECONDS]`: what the certificate authority alone does, without network and store, but with the audit on
// disk; beside it the three operations of node:crypto that each SVID needs. Prints figures; it judges nothing.

import { createPublicKey, generateKeyPairSync, sign, verify } from "node:crypto";
import { availableParallelism } from "node:os";
import { systemRandom } from "../../runtime/random.ts";
import { systemClock } from "../../runtime/time/clock.ts";
import { JournalAuditLog } from "../../server/audit/journal-audit-log.ts";
import type { X509SvidOrder } from "../../server/ca/issuance.ts";
import { signingThreadsFor } from "../../server/ca/signing-pool.ts";
import { MemoryKeyManager } from "../../server/keymanager/memory-key-manager.ts";
import { MemoryStore } from "../fakes/memory-store.ts";
import { RecordingLog } from "../fakes/recording-log.ts";
import { openCaParts } from "../support/ca-parts.ts";
import { agentCall, workloadOrder } from "../support/ca-world.ts";
import { TempDir } from "../support/temp-dir.ts";
import { describeMachine } from "./machine.ts";

const seconds = Number(process.argv[2] ?? "3");

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}

/** Calls `act` from so many loops at once until the time is over; tells SVIDs by the second and by the second of processor time. */
async function measure(
  name: string,
  loops: number,
  perCall: number,
  act: (loop: number) => Promise<unknown>,
): Promise<void> {
  const run = async (forMs: number): Promise<number> => {
    const endMs = performance.now() + forMs;
    let calls = 0;
    const loop = async (index: number): Promise<void> => {
      while (performance.now() < endMs) {
        await act(index);
        calls += 1;
      }
    };
    await Promise.all(Array.from({ length: loops }, (_, index) => loop(index)));
    return calls * perCall;
  };
  await run(1000);
  const cpu = process.cpuUsage();
  const startMs = performance.now();
  const done = await run(seconds * 1000);
  const elapsed = (performance.now() - startMs) / 1000;
  const { user, system } = process.cpuUsage(cpu);
  const cores = (user + system) / 1_000_000 / elapsed;
  const rate = done / elapsed;
  const figures = [rate, rate / cores].map((figure) => String(Math.round(figure)).padStart(7));
  print(`${name.padEnd(44)}${figures[0]}/s  ${figures[1]}/core-s  ${cores.toFixed(2)} cores`);
}

/** Import of a key, check of a request, signature: what no implementation on node:crypto can do without. */
async function benchFloor(): Promise<void> {
  const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const key = publicKey.export({ format: "der", type: "spki" });
  const data = Buffer.alloc(400, 1);
  const signature = sign("sha256", data, privateKey);
  await measure("node:crypto import + verify + sign", 1, 50, async () => {
    for (let n = 0; n < 50; n++) {
      verify("sha256", data, createPublicKey({ key, format: "der", type: "spki" }), signature);
      sign("sha256", data, privateKey);
    }
    await new Promise((resolve) => setImmediate(resolve));
  });
}

async function benchWith(threads: number): Promise<void> {
  await using dir = await TempDir.open();
  const { log } = new RecordingLog();
  const keys = new MemoryKeyManager();
  const clock = systemClock;
  const directory = dir.path;
  await using audit = await JournalAuditLog.open({ directory, writer: "bench", clock, keys, log });
  const store = await MemoryStore.open(clock);
  const deps = { clock, random: systemRandom, store, keys, audit, log };
  await using parts = await openCaParts(deps, { threads });
  const orders: readonly X509SvidOrder[] = Array.from({ length: 500 }, (_, n) =>
    workloadOrder(parts.trustDomain, `/ns/default/sa/workload-${n}`),
  );
  const batch = (size: number) => async (loop: number) => {
    const first = (loop * size) % (orders.length - size + 1);
    for (const result of await parts.ca.signX509Svids(
      agentCall,
      orders.slice(first, first + size),
    )) {
      if (!result.issued) throw result.error;
    }
  };
  const where = threads === 0 ? "where it stands" : `${threads} signing threads`;
  await measure(`X.509, batches of 50, ${where}`, 4, 50, batch(50));
  await measure(`X.509, one by one, 32 at once, ${where}`, 32, 1, batch(1));
  await measure(`X.509, one by one, 1 at a time, ${where}`, 1, 1, batch(1));
  const [{ spiffeId, entry } = {}] = orders;
  if (spiffeId === undefined || entry === undefined)
    throw new TypeError("an order lacks its entry");
  await measure(`JWT, 32 at once, ${where}`, 32, 1, () =>
    parts.ca.signJwtSvid(agentCall, {
      profile: "jwt_workload",
      spiffeId,
      entry,
      audiences: ["db"],
    }),
  );
}

print(describeMachine());
await benchFloor();
await benchWith(0);
await benchWith(signingThreadsFor(availableParallelism()));
