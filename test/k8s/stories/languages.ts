// Workloads in other languages than Go.

import assert from "node:assert/strict";
import { after, suite, test } from "node:test";
import { eventually } from "../../support/eventually.ts";
import type { Check } from "../../support/interop.ts";
import {
  buildNodeImage,
  buildPythonImage,
  nodeImage,
  pythonImage,
} from "../world/foreign-images.ts";
import { giveRoles, roleId, spiffeIdResources } from "../world/roles.ts";
import { Workload } from "../world/workload.ts";
import { createNamespace, deleteNamespaces } from "../world/world.ts";
import type { Story } from "./story.ts";

const namespace = "languages";

const languages = [
  { name: "python", what: "Python's package spiffe", image: pythonImage, build: buildPythonImage },
  { name: "node", what: "our own client library", image: nodeImage, build: buildNodeImage },
] as const;

export function languageStories(story: Story): void {
  suite("other languages", { concurrency: 1 }, () => {
    after(async () => {
      await story.cluster.client.delete(`${spiffeIdResources}/${namespace}`);
      await deleteNamespaces(story.cluster, namespace);
    });

    /** Starts the image's command with these arguments, in a pod of its own. */
    const start = (image: string, name: string, role: string, ...args: readonly string[]) =>
      Workload.create(story.cluster, {
        ...{ name, namespace, image, node: "node1", labels: { role } },
        command: ["/usr/bin/workload", ...args],
        // Its first try may be refused where the entry is late, on a slow machine.
        spec: { restartPolicy: "OnFailure" },
      });

    test("their images are made and brought to a node", async () => {
      const { cluster } = story;
      await createNamespace(cluster, namespace, { identities: false });
      await giveRoles(cluster, namespace);
      for (const { name, build } of languages) {
        const archive = cluster.folder.join(`workload-${name}.tar`);
        await build(archive);
        await cluster.node("node1").importImage(archive);
      }
    });

    for (const { name, what, image } of languages) {
      test(`${what} has every kind of document, and verifies it`, async () => {
        const id = roleId(`fetch-${name}`);
        const pod = await start(image, `${name}-fetch`, `fetch-${name}`, "fetch", id, "shop");
        const isGood = (checks: readonly Check[]) =>
          isComplete(checks) && failuresOf(checks).length === 0;
        const checks = await untilChecks(pod, isGood);
        assert.ok(checks.length > 5, JSON.stringify(checks));
      });

      test(`${what} hears of a change while it runs`, async () => {
        const pod = await start(image, `${name}-watch`, "front", "watch", "2");
        await untilChecks(pod, (checks) => updatesOf(checks).length === 1);
        await pod.label({ role: "back" });
        const checks = await untilChecks(pod, isComplete);
        assert.deepEqual(updatesOf(checks), [roleId("front"), roleId("back")]);
        assert.deepEqual(failuresOf(checks), []);
      });
    }
  });
}

/** Waits until what a pod has reported so far is enough. */
async function untilChecks(
  pod: Workload,
  isEnough: (checks: readonly Check[]) => boolean,
): Promise<readonly Check[]> {
  return eventually(
    `the checks of ${pod.name}`,
    async () => {
      const text = await pod.log();
      const lines = text.split("\n").filter((line) => line.startsWith("{"));
      const checks = lines.map((line): Check => JSON.parse(line));
      if (isEnough(checks)) return checks;
      throw new Error(`it told: ${text.slice(-2000)}`);
    },
    { timeoutMs: 60_000, intervalMs: 100 },
  );
}

const isComplete = (checks: readonly Check[]): boolean => checks.at(-1)?.check === "complete";

function failuresOf(checks: readonly Check[]): readonly Check[] {
  return checks.filter(({ ok }) => !ok);
}

/** The identity that each update brought. */
function updatesOf(checks: readonly Check[]): readonly string[] {
  return checks
    .filter(({ check }) => check === "update")
    .map(({ detail }) => (detail as readonly { readonly id: string }[])[0]?.id ?? "");
}
