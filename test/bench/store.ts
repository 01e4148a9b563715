// How fast the store takes entries, finds them, and gives them to an index. Usage: node test/bench/store.ts [entries]

import { createLogger } from "../../runtime/log.ts";
import { systemRandom } from "../../runtime/random.ts";
import { systemClock } from "../../runtime/time/clock.ts";
import { randomUuid, timeOrderedUuid } from "../../runtime/uuid.ts";
import { AuthorizedEntries } from "../../server/entries/authorized-entries.ts";
import { SqliteStore } from "../../server/store/sqlite/sqlite-store.ts";
import { newEntry, selector } from "../support/entries.ts";
import { TempDir } from "../support/temp-dir.ts";

const total = Number(process.argv[2] ?? 100_000);
const BATCH = 500;

await using dir = await TempDir.open();
await using store = await SqliteStore.open({
  path: dir.join("store.db"),
  clock: systemClock,
  random: systemRandom,
});

/** One pod's entry, as a registrar of Kubernetes writes it. */
function podEntry(index: number): ReturnType<typeof newEntry> {
  const namespace = `team-${index % 200}`;
  return newEntry(timeOrderedUuid(systemClock.now(), systemRandom), {
    spiffeId: `spiffe://example.test/ns/${namespace}/sa/service-${index % 5000}`,
    parentId: `spiffe://example.test/spire/agent/k8s_psat/prod/node-${index % 10_000}`,
    selectors: [
      selector(`k8s:ns:${namespace}`),
      selector(`k8s:pod-uid:${randomUuid(systemRandom)}`),
    ],
  });
}

function report(what: string, count: number, startMs: number): void {
  const seconds = (performance.now() - startMs) / 1000;
  process.stdout.write(
    `${what}: ${Math.round(count / seconds)}/s (${count} in ${seconds.toFixed(2)} s)\n`,
  );
}

/** Creates a share of the entries, one call after the other. */
async function create(share: number): Promise<void> {
  for (let made = 0; made < share; made += BATCH) {
    const entries = Array.from({ length: BATCH }, () => podEntry(nextPod++));
    await store.write("createEntries", { entries, now: 1_800_000_000, actor: "bench" });
  }
}

let nextPod = 0;
for (const callers of [1, 4]) {
  const start = performance.now();
  const from = nextPod;
  await Promise.all(Array.from({ length: callers }, () => create(total / 2 / callers)));
  report(`entries created, ${BATCH} a call, ${callers} at a time`, nextPod - from, start);
}

let start = performance.now();
const page = await store.read("listEntries", {
  filter: { byParentId: podEntry(1).parentId },
  page: { pageSize: 500 },
});
report("entries listed by parent", page.items.length, start);

const before = process.memoryUsage();
start = performance.now();
using index = await AuthorizedEntries.load({
  store,
  serverId: "spiffe://example.test/spire/server",
  log: createLogger({ level: "error", format: "text" }),
});
report("entries loaded into the index", index.size, start);
const after = process.memoryUsage();
const megabytes = (bytes: number): string => (bytes / 1e6).toFixed(0);
process.stdout.write(
  `memory: ${megabytes(after.rss)} MB resident, heap grew by ${megabytes(after.heapUsed - before.heapUsed)} MB\n`,
);

const agentId = podEntry(1).parentId;
const [entry] = index.forAgent(agentId);
start = performance.now();
for (let asked = 0; asked < 1_000_000; asked += 1) index.find(agentId, entry?.id ?? "");
report("entries found for an agent", 1_000_000, start);
