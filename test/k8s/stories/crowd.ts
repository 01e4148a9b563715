// Many pods at the same moment.

import { suite, test } from "node:test";
import { eventually } from "../../support/eventually.ts";
import type { Pod } from "../cluster/pods.ts";
import { Workload } from "../world/workload.ts";
import { createNamespace, defaultId, deleteNamespaces } from "../world/world.ts";
import type { PortableStory } from "./story.ts";

const namespace = "crowd";
/** How many of them there are on each node. */
const aNode = 50;

export function crowdStories(story: PortableStory): void {
  suite("a crowd", () => {
    test(`${aNode} pods at once on each node have their identities at their first calls`, async (t) => {
      const { cluster } = story;
      const { client } = cluster;
      const count = aNode * new Set(cluster.nodeNames).size;
      await createNamespace(cluster, namespace);
      const names = Array.from({ length: count }, (_, index) => `pod${index}`);
      const workloads = await Promise.all(
        names.map((name, index) =>
          Workload.create(cluster, { name, namespace, node: cluster.nodeNames[index % 2] ?? "" }),
        ),
      );
      await eventually(
        "all pods to run",
        async () => {
          const pods = await client.list<Pod>(`/api/v1/namespaces/${namespace}/pods`);
          const running = pods.filter(({ status }) => status?.phase === "Running").length;
          if (running === count) return true;
          throw new Error(`${running} of ${count} run`);
        },
        { timeoutMs: 180_000, intervalMs: 500 },
      );
      const waits: number[] = [];
      let refusedFirst = 0;
      for (const workload of workloads) {
        const got = await workload.untilIdentity(defaultId(namespace));
        // On a slow machine its entry may come later than a new process is held for.
        const [start, next] = await workload.lines();
        if (next?.event !== "identity") refusedFirst += 1;
        waits.push(got.at - (start?.at ?? 0));
      }
      waits.sort((a, b) => a - b);
      const at = (part: number): string => `${Math.round(waits[Math.floor(part * count)] ?? 0)} ms`;
      t.diagnostic(
        `process start to identity: p50 ${at(0.5)}, p90 ${at(0.9)}, max ${at(0.99)}; ${refusedFirst} were refused first`,
      );
      await deleteNamespaces(cluster, namespace);
    });
  });
}
