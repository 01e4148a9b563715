// What pods get, and when it ends.

import assert from "node:assert/strict";
import { after, suite, test } from "node:test";
import { eventually } from "../../support/eventually.ts";
import { assay, entriesOfPod } from "../world/assay-command.ts";
import { giveRoles, roleId, spiffeIdResources } from "../world/roles.ts";
import { Workload } from "../world/workload.ts";
import {
  createNamespace,
  createServiceAccount,
  defaultId,
  deleteNamespaces,
} from "../world/world.ts";
import type { PortableStory } from "./story.ts";

export function identityStories(story: PortableStory): void {
  suite("identities", { concurrency: 1 }, () => {
    after(() => deleteNamespaces(story.cluster, "shop", "elsewhere", "labels"));

    test("each pod of a labelled namespace has its identity, on both nodes", async (t) => {
      const { cluster } = story;
      await createNamespace(cluster, "shop");
      await createServiceAccount(cluster, "shop", "web");
      for (const [index, node] of cluster.nodeNames.entries()) {
        const name = `web-${index + 1}`;
        const at = { name, namespace: "shop", serviceAccount: "web", node };
        const workload = await Workload.create(cluster, at);
        await workload.untilIdentity(defaultId("shop", "web"));
        // On a slow machine its entry may come later than a new process is held for.
        const events = (await workload.lines()).map(({ event }) => event);
        assert.match(events.join(" "), /^start( refused)* identity\b/);
        t.diagnostic(`${node}: ${events.join(", ")}`);
      }
    });

    test("pods of other namespaces have none", async () => {
      const { cluster } = story;
      await createNamespace(cluster, "elsewhere", { identities: false });
      const workload = await Workload.create(cluster, { name: "web", namespace: "elsewhere" });
      await workload.untilRefused();
      const uid = (await workload.pod()).metadata.uid ?? "";
      const why = await assay(cluster, ["why", "--recent"]);
      const about = why.filter((row) => JSON.stringify(row).includes(`pod-uid:${uid}`));
      assert.deepEqual([...new Set(about.map(({ cause }) => cause))], ["no_entry"]);
      await workload.delete();
    });

    test("go-spiffe takes every kind of document, and verifies it", async () => {
      const workload = new Workload(story.cluster, "web-1", "shop");
      const id = defaultId("shop", "web");
      const told = await workload.exec("workload", "fetch", "-id", id);
      const checks = told
        .trim()
        .split("\n")
        .map((line) => JSON.parse(line));
      assert.equal(checks.at(-1).check, "complete");
      assert.deepEqual(
        checks.filter(({ ok }: { ok: boolean }) => !ok),
        [],
      );
    });

    test("a pod that is deleted takes its entry with it", async () => {
      const { cluster } = story;
      const workload = await Workload.create(cluster, { name: "brief", namespace: "shop" });
      await workload.untilIdentity(defaultId("shop"));
      const uid = (await workload.pod()).metadata.uid ?? "";
      assert.equal((await entriesOfPod(cluster, uid)).length, 1);
      await workload.delete();
      await workload.untilGone();
      await eventually("the end of the entry", async () =>
        (await entriesOfPod(cluster, uid)).length === 0 ? true : undefined,
      );
    });

    test("a Job's pod loses its entry when it has done its work, not when its object goes", async () => {
      const { cluster } = story;
      const options = {
        name: "job",
        namespace: "shop",
        command: ["/usr/bin/workload", "fetch", "-id", defaultId("shop")],
        // Its first try may be refused where the entry is late, on a slow machine.
        spec: { restartPolicy: "OnFailure" },
      };
      const workload = await Workload.create(cluster, options);
      const pod = await eventually(
        "the end of the work",
        async () => {
          const seen = await workload.pod();
          return seen.status?.phase === "Succeeded" ? seen : undefined;
        },
        { timeoutMs: 90_000 },
      );
      await eventually("the end of the entry", async () =>
        (await entriesOfPod(cluster, pod.metadata.uid ?? "")).length === 0 ? true : undefined,
      );
      await workload.delete();
    });

    test("a label decides: taken away it ends the stream, given back it brings the identity back", async () => {
      const { cluster } = story;
      await createNamespace(cluster, "labels", { identities: false });
      await giveRoles(cluster, "labels");
      const options = { name: "web", namespace: "labels", labels: { role: "front" } };
      const workload = await Workload.create(cluster, options);
      await workload.untilIdentity(roleId("front"));
      await workload.label({ role: "back" });
      const changed = await workload.untilIdentity(roleId("back"));
      await workload.label({ role: null });
      const refused = await workload.untilRefused({ since: changed.at });
      await workload.label({ role: "front" });
      await workload.untilIdentity(roleId("front"), { since: refused.at });
    });

    test("a changed resource reaches running pods", async () => {
      const { cluster } = story;
      const workload = new Workload(cluster, "web", "labels");
      const [last] = (await workload.lines()).slice(-1);
      await cluster.client.patch(`${spiffeIdResources}/labels`, {
        spec: { dnsNameTemplates: ["{{ .PodMeta.Name }}.example.test"] },
      });
      await workload.until("the DNS name", ({ dns }) => dns?.[0] === "web.example.test", {
        since: last?.at ?? 0,
      });
      await cluster.client.delete(`${spiffeIdResources}/labels`);
      await workload.untilRefused({ since: last?.at ?? 0 });
      await workload.delete();
    });

    test("a namespace's label decides, too", async () => {
      const { cluster } = story;
      const workload = await Workload.create(cluster, { name: "late", namespace: "elsewhere" });
      const refused = await workload.untilRefused();
      const label = (value: string | null): Promise<unknown> =>
        cluster.client.patch("/api/v1/namespaces/elsewhere", {
          metadata: { labels: { "assay.dev/identities": value } },
        });
      await label("enabled");
      const given = await workload.untilIdentity(defaultId("elsewhere"), { since: refused.at });
      await label(null);
      await workload.untilRefused({ since: given.at });
      await workload.delete();
    });
  });
}
