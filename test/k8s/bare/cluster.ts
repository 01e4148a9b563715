// The cluster itself, without anything of ours on it.

import assert from "node:assert/strict";
import { access, readdir } from "node:fs/promises";
import { basename } from "node:path";
import { suite, test } from "node:test";
import { eventually } from "../../support/eventually.ts";
import type { Cluster } from "../cluster/cluster.ts";
import { busyboxImage } from "../cluster/image.ts";
import { type Pod, untilRunning } from "../cluster/pods.ts";
import type { Story } from "../stories/story.ts";

const inDefault = "/api/v1/namespaces/default";

function pod(name: string, node: string, script: string): object {
  const command = ["/bin/sh", "-c", script];
  return {
    metadata: { name, labels: { app: name } },
    spec: {
      nodeName: node,
      terminationGracePeriodSeconds: 0,
      containers: [{ name: "main", image: busyboxImage, imagePullPolicy: "Never", command }],
    },
  };
}

export function clusterStories(story: Story): void {
  suite("a cluster of our own", () => {
    test("a pod of one node reaches a service of the other by its name", async () => {
      const { client } = story.cluster;
      const script = "mkdir /www; hostname >/www/name; exec httpd -f -p 8080 -h /www";
      await client.create(`${inDefault}/pods`, pod("server", "node1", script));
      await client.create(`${inDefault}/services`, {
        metadata: { name: "web" },
        spec: { selector: { app: "server" }, ports: [{ port: 80, targetPort: 8080 }] },
      });
      await client.create(`${inDefault}/pods`, pod("client", "node2", "exec sleep 1000000"));
      await client.create(`${inDefault}/pods`, pod("neighbour", "node1", "exec sleep 1000000"));
      for (const name of ["server", "client", "neighbour"]) await untilRunning(client, name);
      for (const name of ["client", "neighbour", "server"]) {
        const answer = await eventually(`the answer to ${name}`, () => {
          const ask = ["wget", "-q", "-O", "-", "http://web.default.svc.cluster.local/name"];
          return story.cluster.kubectl(["exec", name, "--", ...ask]);
        });
        assert.equal(answer.trim(), "server");
      }
    });

    test("a node sees no processes but its own", async () => {
      const count = async (name: string): Promise<number> => {
        const processes = await story.cluster.node(name).host.run(["ps", "-e", "-o", "args="]);
        return processes.match(/^httpd -f/gm)?.length ?? 0;
      };
      assert.deepEqual([await count("node1"), await count("node2")], [1, 0]);
    });

    test("parts can be killed, stopped for a while and started again", async () => {
      const { plane, client } = story.cluster;
      const apiserver = plane.component("apiserver");
      await apiserver.pause();
      const asked = client.text("/readyz");
      await apiserver.resume();
      assert.equal(await asked, "ok");
      await apiserver.kill();
      await assert.rejects(client.text("/readyz"));
      await apiserver.start();
      await plane.untilReady();
      const { kubelet } = story.cluster.node("node1");
      await kubelet.kill();
      assert.equal(kubelet.running, false);
      await kubelet.start();
      const [found] = await client.list<Pod>(`${inDefault}/pods?labelSelector=app%3Dserver`);
      assert.equal(found?.status?.phase, "Running");
    });

    test("a node can be switched off and built anew under its name", async () => {
      const node = story.cluster.node("node2");
      await story.cluster.removeNode(node);
      await story.cluster.client.delete("/api/v1/nodes/node2");
      await story.cluster.addNode(2);
      await story.cluster.client.delete(`${inDefault}/pods/client`, { gracePeriodSeconds: 0 });
      await story.cluster.client.create(
        `${inDefault}/pods`,
        pod("again", "node2", "exec sleep 1000000"),
      );
      await untilRunning(story.cluster.client, "again");
    });
  });
}

/** That nothing is left on this machine, once it is disposed of. */
export async function assertGone(cluster: Cluster): Promise<void> {
  const { path } = cluster.folder;
  await assert.rejects(access(path));
  await assert.rejects(access(`/proc/${cluster.plane.host.pid}`));
  const groups = await readdir("/sys/fs/cgroup", { recursive: true });
  assert.deepEqual(
    groups.filter((group) => group.includes(basename(path))),
    [],
  );
}
