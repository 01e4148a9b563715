// Pods' containers as a node's runtime has them, without kubelet and API server.

import type { Node } from "../cluster/node.ts";

const ctr = ["ctr", "--address", "/run/containerd/containerd.sock", "--namespace", "k8s.io"];

/** Runs a command in a pod's container. @returns what it printed */
export async function runInContainer(
  node: Node,
  pod: string,
  argv: readonly string[],
): Promise<string> {
  const exec = ["tasks", "exec", "--exec-id", `test-${Date.now()}`, "--user", "1000"];
  return node.host.run([...ctr, ...exec, await containerOf(node, pod), ...argv]);
}

/** Kills the process of a pod's container; the kubelet then starts another one. */
export async function killContainer(node: Node, pod: string): Promise<void> {
  await signalContainer(node, pod, "SIGKILL");
}

/** Sends the first process of a pod's container a signal. */
export async function signalContainer(
  node: Node,
  pod: string,
  signal: NodeJS.Signals,
): Promise<void> {
  const kill = ["tasks", "kill", "--signal", signal];
  await node.host.run([...ctr, ...kill, await containerOf(node, pod)]);
}

async function containerOf(node: Node, pod: string): Promise<string> {
  const labels = { "io.kubernetes.pod.name": pod, "io.kubernetes.container.name": "main" };
  const filter = Object.entries(labels).map(([label, value]) => `labels."${label}"==${value}`);
  const listed = await node.host.run([...ctr, "containers", "list", "--quiet", filter.join(",")]);
  const [container = ""] = listed.trim().split("\n");
  if (container === "") throw new Error(`the node ${node.name} has no container of ${pod}`);
  return container;
}
