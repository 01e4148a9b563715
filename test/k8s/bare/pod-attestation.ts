// Which process of which pod an agent takes its callers for, on a real node: containerd's cgroups, the kubelet's list, and pods
// that pretend to be others.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { after, before, suite, test } from "node:test";
import { eventually } from "../../support/eventually.ts";
import type { Cluster } from "../cluster/cluster.ts";
import { busyboxImage } from "../cluster/image.ts";
import type { Node } from "../cluster/node.ts";
import { type Pod, untilRunning } from "../cluster/pods.ts";
import type { Story } from "../stories/story.ts";
import { NodeAssay } from "../support/node-assay.ts";

const inDefault = "/api/v1/namespaces/default";
const socketPath = "/run/assay/workload/api.sock";
const workload = `${process.execPath} ${join(import.meta.dirname, "../support/pod-workload-main.ts")}`;
const passSocket = join(import.meta.dirname, "../support/pass-socket-main.ts");

interface Answer {
  readonly ids?: readonly string[];
  readonly code?: number;
  readonly reason?: string;
  readonly ms: number;
}

/** What a container does that asks whenever the test wants it to: for each file NAME it answers with NAME.out. */
function asker(name: string): string {
  return `mkdir -p /run/ask; while :; do
if rm /run/ask/${name} 2>/dev/null; then
  ${workload} ${socketPath} >/run/ask/${name}.part 2>&1; mv /run/ask/${name}.part /run/ask/${name}.out
fi
sleep 0.05; done`;
}

/** A container that sees the node's files, so that programs of ours can run in it. */
function container(name: string, script: string): object {
  return {
    name,
    image: busyboxImage,
    imagePullPolicy: "Never",
    command: ["chroot", "/host", "sh", "-c", script],
    securityContext: { privileged: true },
    volumeMounts: [{ name: "host", mountPath: "/host", mountPropagation: "HostToContainer" }],
  };
}

function podOf(name: string, spec: object = {}, metadata: object = {}): object {
  return {
    metadata: { name, labels: { app: name }, ...metadata },
    spec: {
      nodeName: "node1",
      terminationGracePeriodSeconds: 0,
      containers: [container("main", asker(name))],
      volumes: [{ name: "host", hostPath: { path: "/" } }],
      ...spec,
    },
  };
}

export function podAttestationStories(story: Story): void {
  suite("an agent among real pods", () => {
    let cluster: Cluster;
    let node: Node;
    let assay: NodeAssay;
    let web: Pod;
    let other: Pod;
    const k8s = { refresh: "1s", wait: "3s", namespaceLabels: true };

    const create = (body: object): Promise<Pod> =>
      cluster.client.create<Pod>(`${inDefault}/pods`, body);
    const start = async (body: object): Promise<Pod> => {
      const { name } = (await create(body)).metadata;
      return untilRunning(cluster.client, name);
    };
    const onNode = (script: string): Promise<string> => node.host.run(["sh", "-ec", script]);
    /** Lets a container ask, and reads the answer from the node. */
    const answerOf = async (name: string): Promise<Answer> => {
      await onNode(`rm -f /run/ask/${name}.out; touch /run/ask/${name}`);
      const read = (): Promise<string> => onNode(`cat /run/ask/${name}.out`);
      return JSON.parse(await eventually(`the answer to ${name}`, read, { timeoutMs: 60_000 }));
    };
    const idsOf = async (name: string): Promise<readonly string[]> =>
      shortIds(await answerOf(name));
    /** Waits for so many answers in a pod's log. */
    const logOf = (name: string, answers: number): Promise<readonly Answer[]> =>
      eventually(`${answers} answers to ${name}`, async () => {
        const text = await cluster.client.text(`${inDefault}/pods/${name}/log`);
        const lines = text.trim().split("\n").filter(Boolean);
        return lines.length < answers ? undefined : lines.map((line): Answer => JSON.parse(line));
      });

    before(async () => {
      cluster = story.cluster;
      node = cluster.node("node1");
      assay = await NodeAssay.start({ cluster, node, k8s });
      await createAccount(cluster, "agent", [
        { apiGroups: [""], resources: ["nodes/pods"], verbs: ["get"] },
        { apiGroups: [""], resources: ["namespaces"], verbs: ["get", "list", "watch"] },
        { apiGroups: ["authentication.k8s.io"], resources: ["tokenreviews"], verbs: ["create"] },
      ]);
      await createAccount(cluster, "nobody", []);
      await assay.useToken(await tokenOf(cluster, "agent"));
      [web, other] = await Promise.all([start(podOf("web")), start(podOf("other"))]);
      await assay.grant("/web", `k8s:pod-uid:${web.metadata.uid}`);
    });
    after(async () => {
      await assay?.[Symbol.asyncDispose]();
    });

    test("a pod has the identity that its UID gives it, and another has none", async () => {
      assert.deepEqual(await idsOf("web"), ["/web"]);
      const { code, reason } = await answerOf("other");
      assert.deepEqual([code, reason], [7, "no_identity"]);
    });

    test("what `kubectl exec` starts in a container is of that container", async () => {
      const exec = [
        "exec",
        "web",
        "--",
        "chroot",
        "/host",
        "sh",
        "-c",
        `${workload} ${socketPath}`,
      ];
      assert.deepEqual(shortIds(JSON.parse(await cluster.kubectl(exec))), ["/web"]);
    });

    test("the kubelet is not asked while entries ask for UIDs alone", async () => {
      await assay.useToken("nonsense");
      assert.deepEqual(await idsOf("web"), ["/web"]);
      await assay.useToken(await tokenOf(cluster, "agent"));
    });

    test("a pod that asks at once waits until the kubelet knows it, and not longer", async () => {
      await assay.grant("/account", "k8s:ns:default", "k8s:sa:default", "k8s:pod-label:kind:early");
      await assay.grant("/named", "k8s:container-name:quick", "k8s:pod-label:kind:early");
      const script = `exec ${workload} ${socketPath} 1`;
      const spec = { containers: [container("quick", script)], restartPolicy: "Never" };
      await create(podOf("early", spec, { labels: { kind: "early" } }));
      const [answer] = await logOf("early", 1);
      assert.deepEqual(shortIds(answer), ["/account", "/named"]);
      assert.ok((answer?.ms ?? 0) < 3_500, `${answer?.ms} ms`);
    });

    test("containers of a pod are told apart: init, sidecar, ephemeral, of one image", async () => {
      const kinds = ["main", "second", "sidecar", "debug"];
      for (const name of kinds) {
        await assay.grant(`/${name}`, "k8s:pod-label:app:many", `k8s:container-name:${name}`);
      }
      const sidecar = { ...container("sidecar", asker("many-sidecar")), restartPolicy: "Always" };
      const spec = {
        initContainers: [sidecar],
        containers: [
          container("main", asker("many-main")),
          container("second", asker("many-second")),
        ],
      };
      await start(podOf("many", spec));
      await cluster.client.patch(`${inDefault}/pods/many/ephemeralcontainers`, {
        spec: { ephemeralContainers: [container("debug", asker("many-debug"))] },
      });
      for (const name of kinds) assert.deepEqual(await idsOf(`many-${name}`), [`/${name}`]);
    });

    test("open streams follow labels of the pod and of its namespace", async () => {
      const labels = (path: string, set: object): Promise<unknown> =>
        cluster.client.patch(path, { metadata: { labels: set } });
      await assay.grant("/blue", "k8s:pod-label:app:stream", "k8s:pod-label:colour:blue");
      await assay.grant("/team", "k8s:pod-label:app:stream", "k8s:ns-label:team:a");
      const script = `exec ${workload} ${socketPath} 9`;
      const spec = { containers: [container("main", script)] };
      await create(podOf("stream", spec, { labels: { app: "stream", colour: "blue" } }));
      await logOf("stream", 1);
      await labels("/api/v1/namespaces/default", { team: "a" });
      await logOf("stream", 2);
      await labels(`${inDefault}/pods/stream`, { colour: "red" });
      const answers = await logOf("stream", 3);
      assert.deepEqual(answers.map(shortIds), [["/blue"], ["/blue", "/team"], ["/team"]]);
      await labels("/api/v1/namespaces/default", { team: null });
      assert.equal((await logOf("stream", 4)).at(-1)?.code, 7);
    });

    test("without the permission known pods go on, and new ones hear `unavailable`", async () => {
      await assay.grant("/default", "k8s:sa:default", "k8s:pod-label:served:yes");
      await start(podOf("known", {}, { labels: { served: "yes" } }));
      assert.deepEqual(await idsOf("known"), ["/default"]);
      await assay.useToken(await tokenOf(cluster, "nobody"));
      const fresh = await start(podOf("fresh", {}, { labels: { served: "yes" } }));
      const { code, reason } = await answerOf("fresh");
      assert.deepEqual([code, reason], [14, "attestor_failed"]);
      assert.deepEqual(await idsOf("known"), ["/default"]);
      await assay.grant("/fresh", `k8s:pod-uid:${fresh.metadata.uid}`);
      assert.equal((await answerOf("fresh")).code, 14);
      await assay.useToken(await tokenOf(cluster, "agent"));
      assert.deepEqual(await idsOf("fresh"), ["/default", "/fresh"]);
    });

    test("`assay why` tells what is known of a process in a pod", async () => {
      const known = await assay.explain(await pidIn(node, web));
      assert.match(known, /pod-name:web/);
      assert.match(known, new RegExp(`pod-uid:${web.metadata.uid}`));
    });

    test("a kubelet that restarts takes no identity away", async () => {
      await node.kubelet.kill();
      assert.deepEqual(await idsOf("known"), ["/default"]);
      assert.deepEqual(await idsOf("web"), ["/web"]);
      await node.kubelet.start();
      await node.untilReady();
      assert.deepEqual(await idsOf("known"), ["/default"]);
    });

    test("a static pod is known by the hash of its file", async () => {
      await assay.grant("/static", "k8s:ns:kube-system", "k8s:pod-name:still-node1");
      const manifest = {
        apiVersion: "v1",
        kind: "Pod",
        ...podOf("still", { nodeName: undefined }, { namespace: "kube-system" }),
      };
      const path = "/var/lib/kubelet/manifests/still.json";
      await node.host.run(["tee", path], { input: JSON.stringify(manifest, null, 2) });
      await untilRunning(cluster.client, "still-node1", { namespace: "kube-system" });
      assert.deepEqual(await idsOf("still"), ["/static"]);
    });

    test("a container cannot pass for another by the names of its own cgroups", async () => {
      const [, path = ""] = /:(\/kubepods\S+)/.exec(await cgroupIn(node, web)) ?? [];
      const script = `own=$(sed -n 's|.*:\\(/kubepods.*\\)|\\1|p' /proc/self/cgroup | head -1)
for h in /sys/fs/cgroup/*; do
  d=$h$own; [ -d $d ] || continue
  for part in $(echo ${path} | tr / ' '); do
    n=$d/$part; mkdir -p $n
    for f in cpuset.cpus cpuset.mems; do [ ! -f $n/$f ] || cat $d/$f >$n/$f; done
    d=$n
  done
  echo $$ >$d/cgroup.procs
done
cat /proc/self/cgroup; exec ${workload} ${socketPath}`;
      const exec = ["exec", "other", "--", "chroot", "/host", "sh", "-ec", script];
      const lines = (await cluster.kubectl(exec)).trim().split("\n");
      const moved = lines.filter((line) => line.endsWith(path) && !line.endsWith(`:${path}`));
      assert.ok(moved.length > 0, lines.join("\n"));
      assert.equal(JSON.parse(lines.at(-1) ?? "").code, 7);
    });

    test("a pod cannot pass for another by its own names, nor by sharing the node's processes", async () => {
      const victim = (await containerIdOf(cluster, "web")).replace("containerd://", "");
      const short = victim.slice(0, 63);
      const spec = { hostPID: true, containers: [container(short, asker("liar"))] };
      const annotations = {
        "kubernetes.io/config.hash": web.metadata.uid,
        "kubernetes.io/config.source": "file",
      };
      const labels = { app: "web", uid: web.metadata.uid, id: short };
      await start(podOf(victim, spec, { labels, annotations }));
      assert.equal((await answerOf("liar")).code, 7);
      const detour = `/proc/${await pidIn(node, web)}/root${socketPath}`;
      const exec = ["exec", victim, "--", "chroot", "/host", "sh", "-c", `${workload} ${detour}`];
      assert.equal(JSON.parse(await cluster.kubectl(exec)).code, 7);
    });

    test("a connection stays that of the process that opened it, and ends with it", async () => {
      const webPath = /:(\/kubepods\S+)/.exec(await cgroupIn(node, web))?.[1] ?? "";
      // Whoever has the number of a process that is gone is somebody else: here one of the pod with the identity.
      for (const [leaves, from, to] of [
        [false, "web", "/system"],
        [true, "web", "/system"],
        [true, "other", webPath],
      ] as const) {
        const opened = await openIn(cluster, { name: from, cgroup: to });
        if (leaves) {
          await opened.leave();
          if (from === "other") await reuseNumber(node, opened.pid, webPath);
        }
        await onNode("touch /run/ask/go");
        const read = (): Promise<string> => onNode("cat /run/ask/passed.part");
        const answer: unknown = JSON.parse(await eventually("what was said on it", read));
        if (leaves) assert.notDeepEqual(answer, { id: "/web" });
        else assert.deepEqual(answer, { id: "/web" });
        await opened.leave();
        await onNode("rm -f /run/ask/go /run/ask/passed.part");
      }
    });

    test("with a token as second factor, only the pod's own one counts", async () => {
      const podTokens = "/run/assay/pod-tokens";
      const handOver = async (bearer: Pod, owner: Pod, audience: string): Promise<void> => {
        const token = await tokenOf(cluster, "default", { audience, pod: owner });
        const folder = `${podTokens}/${bearer.metadata.uid}`;
        const input = JSON.stringify({ "assay-agent": { token } });
        await node.host.run(["sh", "-ec", `mkdir -p ${folder}; cat >${folder}/volume`], { input });
      };
      const patience = { timeoutMs: 60_000 };
      const untilExplained = (why: RegExp): Promise<true> =>
        eventually(
          `${why} to be seen`,
          async () => (why.test(await assay.explain(await pidIn(node, web))) ? true : undefined),
          patience,
        );
      await assay.restartAgent({ ...k8s, podToken: { mode: "required" } });
      // The driver may bring it yet, so this is not a refusal.
      await untilExplained(/pod_token_missing/);
      assert.equal((await answerOf("web")).code, 14);
      await handOver(web, other, "assay-agent");
      await untilExplained(/pod_token_of_another_pod/);
      assert.equal((await answerOf("web")).code, 7);
      await handOver(web, web, "somebody-else");
      await untilExplained(/pod_token_refused/);
      assert.equal((await answerOf("web")).code, 7);
      await handOver(web, web, "assay-agent");
      await eventually(
        "the right token",
        async () => ((await answerOf("web")).code === undefined ? true : undefined),
        patience,
      );
      assert.deepEqual(await idsOf("web"), ["/web"]);
    });
  });
}

function shortIds(answer: Answer | undefined): readonly string[] {
  return (answer?.ids ?? [`refused with ${answer?.code}`]).map((id) =>
    id.replace("spiffe://example.test", ""),
  );
}

async function containerIdOf({ client }: Cluster, name: string): Promise<string> {
  const { status } = await client.get<Pod>(`${inDefault}/pods/${name}`);
  return status?.containerStatuses?.[0]?.containerID ?? "";
}

/** A process of a pod's container, by its number on the node. */
async function pidIn(node: Node, pod: Pod): Promise<number> {
  const script = `grep -l '/pod${pod.metadata.uid}/' /proc/[0-9]*/cgroup | cut -d/ -f3`;
  const pids = (await node.host.run(["sh", "-c", script])).trim().split("\n");
  for (const pid of pids) {
    const command = await node.host
      .run(["sh", "-c", `tr '\\0' ' ' </proc/${pid}/cmdline`])
      .catch(() => "");
    if (command.startsWith("sh -c")) return Number(pid);
  }
  throw new Error(`no process of ${pod.metadata.name}`);
}

async function cgroupIn(node: Node, pod: Pod): Promise<string> {
  return node.host.run(["cat", `/proc/${await pidIn(node, pod)}/cgroup`]);
}

/** Opens a connection in a pod and hands it to a process in a cgroup of the node. */
async function openIn(
  cluster: Cluster,
  { name, cgroup }: { readonly name: string; readonly cgroup: string },
): Promise<{ readonly pid: number; leave(): Promise<void> }> {
  const args = [passSocket, "connect", socketPath, cgroup, "/run/ask/go", "/run/ask/passed"];
  const script = `exec ${[process.execPath, ...args].join(" ")}`;
  const kubectl = ["kubectl", "--kubeconfig", cluster.plane.kubeconfigPath];
  const inPod = ["exec", "-i", name, "--", "chroot", "/host", "sh", "-c", script];
  const [file, ...rest] = cluster.plane.host.command([...kubectl, ...inPod]);
  const child = spawn(file, rest, { stdio: ["pipe", "pipe", "inherit"] });
  const ended = once(child, "close");
  const [line] = await Promise.race([
    once(child.stdout, "data"),
    ended.then(() => Promise.reject(new Error(`nothing was opened in ${name}`))),
  ]);
  return {
    pid: Number(String(line)),
    leave: async () => {
      child.stdin.end();
      await ended;
    },
  };
}

/** Starts a process with this number on the node, and puts it into a cgroup there. */
async function reuseNumber(node: Node, pid: number, cgroup: string): Promise<void> {
  // What goes on running must hold none of our pipes.
  const script = `exec </dev/null >/dev/null 2>&1
for try in $(seq 200); do
  [ ! -d /proc/${pid} ] || exit 3
  echo $((${pid} - 1)) >/proc/sys/kernel/ns_last_pid
  sleep 1000 & [ $! = ${pid} ] && break
  kill $!
done
[ $! = ${pid} ] || exit 4
for h in /sys/fs/cgroup/*; do [ ! -d $h${cgroup} ] || echo ${pid} >$h${cgroup}/cgroup.procs; done`;
  await node.host.run(["bash", "-c", script]);
}

async function createAccount(
  { client }: Cluster,
  name: string,
  rules: readonly object[],
): Promise<void> {
  const rbac = "/apis/rbac.authorization.k8s.io/v1";
  await client.create(`${inDefault}/serviceaccounts`, { metadata: { name } });
  await client.create(`${rbac}/clusterroles`, { metadata: { name }, rules });
  await client.create(`${rbac}/clusterrolebindings`, {
    metadata: { name },
    roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "ClusterRole", name },
    subjects: [{ kind: "ServiceAccount", name, namespace: "default" }],
  });
}

async function tokenOf(
  { client }: Cluster,
  name: string,
  bound?: { readonly audience: string; readonly pod: Pod },
): Promise<string> {
  const { name: podName, uid } = bound?.pod.metadata ?? {};
  const spec = {
    expirationSeconds: 3600,
    ...(bound && {
      audiences: [bound.audience],
      boundObjectRef: { apiVersion: "v1", kind: "Pod", name: podName, uid },
    }),
  };
  const path = `${inDefault}/serviceaccounts/${name}/token`;
  const { status } = await client.create<{ status: { token: string } }>(path, { spec });
  return status.token;
}
