import type { KubeCluster } from "../cluster/kube-cluster.ts";
import { system } from "./world.ts";

/** A row that a command printed. */
export type Row = Readonly<Record<string, unknown>>;

/** Runs a command of the product in the server's pod. @returns the rows that it printed */
export async function assay(
  cluster: KubeCluster,
  args: readonly string[],
  options: { readonly input?: string } = {},
): Promise<readonly Row[]> {
  const flags = options.input === undefined ? [] : ["-i"];
  const inPod = ["exec", ...flags, "-n", system, "assay-server-0", "--", "assay", ...args];
  const text = await cluster.kubectl([...inPod, "--output", "json"], options);
  const found: Row | readonly Row[] = text === "" ? [] : JSON.parse(text);
  return Array.isArray(found) ? found : [found as Row];
}

/** The entries that rest on a pod's UID. */
export function entriesOfPod(cluster: KubeCluster, uid: string): Promise<readonly Row[]> {
  return assay(cluster, ["entry", "list", "--selector", `k8s:pod-uid:${uid}`]);
}
