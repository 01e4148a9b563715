// Programs that read files: the pods of the page on them, as it prints them.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, suite, test } from "node:test";
import { parseAllDocuments } from "yaml";
import { parseCertificatesPem } from "../../../spiffe/x509/certificate-pem.ts";
import { eventually } from "../../support/eventually.ts";
import { root } from "../../support/sources.ts";
import { assayImage, pullPolicy, workloadImage } from "../world/images.ts";
import { Workload } from "../world/workload.ts";
import { createNamespace, defaultId, deleteNamespaces } from "../world/world.ts";
import type { PortableStory } from "./story.ts";

const namespace = "files";

export function filesStories(story: PortableStory): void {
  suite("files in pods", { concurrency: 1 }, () => {
    before(() => createNamespace(story.cluster, namespace));
    after(() => deleteNamespaces(story.cluster, namespace));

    for (const variant of ["sidecar", "init container"] as const) {
      test(`are there before the program starts, by the page's ${variant}`, async () => {
        const { cluster } = story;
        const name = variant === "sidecar" ? "web" : "web-once";
        const objects = await pageObjects(variant, name);
        // A namespace's default service account comes a moment after it.
        await eventually("the objects to be taken", async () => {
          await cluster.apply(...objects);
          return true;
        });
        const web = new Workload(cluster, name, namespace);
        await web.untilRunning();
        const read = await eventually("what the program read", async () => {
          const log = await web.log();
          return log.includes("END PRIVATE KEY") ? log : undefined;
        });
        const [leaf] = parseCertificatesPem(read.replace(/-----BEGIN PRIVATE[\s\S]*/, ""));
        assert.deepEqual(leaf?.uriSans, [defaultId(namespace)]);
        const [container] = (await web.pod()).status?.containerStatuses ?? [];
        assert.equal(container?.restartCount, 0);
      });
    }
  });
}

interface Container {
  name: string;
  image: string;
  imagePullPolicy?: string;
  args?: string[];
  command?: string[];
  restartPolicy?: string;
  startupProbe?: object;
}

interface PageObject {
  readonly kind: string;
  metadata: { name: string; namespace?: string };
  readonly spec: { readonly initContainers: Container[]; readonly containers: Container[] };
}

/** The objects on the page, with images of this cluster, and a program that reads its files once. */
async function pageObjects(
  variant: "sidecar" | "init container",
  name: string,
): Promise<readonly object[]> {
  const page = await readFile(join(root, "docs", "consumers", "files.md"), "utf8");
  const section = page.slice(page.indexOf("## On Kubernetes"));
  const [, block = ""] = /^```yaml\n([\s\S]*?)^```$/m.exec(section) ?? [];
  const objects = parseAllDocuments(block).map((document): PageObject => document.toJS());
  for (const object of objects) {
    object.metadata.namespace = namespace;
    if (object.kind !== "Pod") continue;
    object.metadata.name = name;
    const [identity] = object.spec.initContainers;
    const [program] = object.spec.containers;
    assert.ok(identity && program);
    Object.assign(identity, {
      image: `${assayImage.repository}:${assayImage.tag}`,
      imagePullPolicy: pullPolicy,
    });
    const script = "cd /identity/files && cat tls.crt tls.key && exec sleep 3600";
    const command = ["sh", "-c", script];
    Object.assign(program, { image: workloadImage, imagePullPolicy: pullPolicy, command });
    if (variant === "sidecar") continue;
    // What the page says of an init container that ends.
    delete identity.restartPolicy;
    delete identity.startupProbe;
    identity.args?.push("--once");
  }
  return objects;
}
