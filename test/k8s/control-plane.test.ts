// A server of ours and a real API server, without nodes: real tokens, schemas, rules and watches, and the rights of the chart.

import assert from "node:assert/strict";
import { readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, suite } from "node:test";
import { parse, parseAllDocuments } from "yaml";
import { systemClock } from "../../runtime/time/clock.ts";
import { eventually } from "../support/eventually.ts";
import { requires } from "../support/requires.ts";
import { root } from "../support/sources.ts";
import { ensureBinaries } from "./build/binaries.ts";
import { Addresses } from "./cluster/addresses.ts";
import { ControlPlane } from "./cluster/control-plane.ts";
import type { KubeObject } from "./cluster/kube-client.ts";
import { clusterNeeds, givenKubeconfig } from "./cluster/needs.ts";
import { WorkFolder } from "./cluster/work-folder.ts";
import { nodeAttestationStories } from "./control-plane/node-attestation.ts";
import { registrarStories } from "./control-plane/registrar.ts";
import { tokenRotationStories } from "./control-plane/token-rotation.ts";
import { ApiRelay } from "./support/api-relay.ts";

const SYSTEM = "/api/v1/namespaces/assay-system";
const RBAC = "/apis/rbac.authorization.k8s.io/v1";

if (givenKubeconfig === undefined && requires(...clusterNeeds)) {
  suite("a server and a real API server", () => {
    const opened = new AsyncDisposableStack();
    let plane: ControlPlane | undefined;
    let kubeconfigPath = "";
    const story = {
      get plane(): ControlPlane {
        if (plane === undefined) throw new Error("the control plane did not start");
        return plane;
      },
      get kubeconfigPath(): string {
        return kubeconfigPath;
      },
    };

    before(async () => {
      const say = (line: string) => void process.stderr.write(`cluster: ${line}\n`);
      const binaries = await ensureBinaries("cluster", say);
      const folder = opened.use(await WorkFolder.open());
      const now = systemClock.now();
      const addresses = new Addresses(1);
      plane = opened.use(await ControlPlane.start({ folder, binaries, addresses, now }));
      const relay = opened.use(await ApiRelay.open(folder.join("api.sock")));
      await createObjects(plane);
      kubeconfigPath = folder.join("server.kubeconfig");
      await writeFile(kubeconfigPath, await relay.kubeconfig(plane, "assay-server"));
    });
    after(() => opened.disposeAsync());

    registrarStories(story);
    tokenRotationStories(story);
    nodeAttestationStories(story);
  });
}

/** The kinds, the chart's accounts and role for the server, and a node. */
async function createObjects({ client }: ControlPlane): Promise<void> {
  const folder = join(root, "deploy", "helm", "assay", "crds");
  const crds = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
  for (const file of await readdir(folder)) {
    await client.create(crds, parse(await readFile(join(folder, file), "utf8")));
  }
  await client.create("/api/v1/namespaces", { metadata: { name: "assay-system" } });
  const labels = { zone: "a" };
  await client.create("/api/v1/nodes", { metadata: { name: "node-1", labels } });
  for (const name of ["assay-server", "assay-agent"]) {
    await client.create(`${SYSTEM}/serviceaccounts`, { metadata: { name } });
  }
  const manifests = await readFile(join(root, "deploy", "kubernetes", "server.yaml"), "utf8");
  const objects = parseAllDocuments(manifests).map((each) => each.toJS() as KubeObject | null);
  for (const kind of ["ClusterRole", "ClusterRoleBinding"]) {
    const object = objects.find(
      (each) => each?.kind === kind && each.metadata.name === "assay-server",
    );
    assert.ok(object, kind);
    await client.create(`${RBAC}/${kind.toLowerCase()}s`, object);
  }
  // The controllers make it in their own time, and pods are refused before.
  await eventually("the default service account", () =>
    client.get(`${SYSTEM}/serviceaccounts/default`),
  );
}
