/**
 * Which pod and container a process is in, from its cgroup. The kubelet makes a cgroup for every pod, the container runtime one
 * for every container in it, and both names are told to nobody else to choose.
 *
 * Threat: below its own cgroup a container may make more of them and name them as it likes, also like another pod's. So a path is
 * read from the top: it has to begin with what this node's kubelet made, and nothing counts that stands below the first
 * container.
 */

/** A container of a pod, as the kernel has it. */
export interface PodCgroup {
  readonly podUid: string;
  /** 64 hexadecimal digits. */
  readonly containerId: string;
}

/** The components down to the cgroup that holds all pods, such as ["kubelet.slice", "kubelet-kubepods.slice"]. */
export type KubepodsHead = readonly string[];

const uid = "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}|[0-9a-f]{32}";
const uidInSlice = uid.replaceAll("-[0-9a-f]", "_[0-9a-f]");
const slices = "(?:[A-Za-z0-9_.]+-)*kubepods";

const allPods = new RegExp(`^(?:kubepods|${slices}\\.slice)$`);
const serviceClass = new RegExp(
  `^(?:besteffort|burstable|${slices}-(?:besteffort|burstable)\\.slice)$`,
);
const podSlice = `${slices}-(?:besteffort-|burstable-)?pod(${uidInSlice})\\.slice`;
const pod = new RegExp(`^(?:pod(${uid})|${podSlice})$`);
const container = /^(?:(?:cri-containerd|crio|docker|libpod)-)?([0-9a-f]{64})(?:\.scope)?$/;
/** What containerd makes of a slice's name when only the kubelet was told to use systemd. */
const podAndContainer = new RegExp(`^${podSlice}:cri-containerd:([0-9a-f]{64})$`);
/** Where it stands then, if it does not stand at the top. */
const runtimeService = ["system.slice", "containerd.service"];

/**
 * The heads of a kubelet's cgroup root (its setting `cgroupRoot`), for both cgroup drivers. systemd repeats the names of what is
 * above: "/a/b" is a.slice/a-b.slice.
 */
export function headsOfRoot(cgroupRoot: string): readonly KubepodsHead[] {
  const names = [...cgroupRoot.split("/").filter(Boolean), "kubepods"];
  const escaped = names.map((name) => name.replaceAll("-", "_"));
  return [names, escaped.map((_, i) => `${escaped.slice(0, i + 1).join("-")}.slice`)];
}

/**
 * The heads of the kubelet that started this agent, when the agent's own paths show one, else those of a kubelet at the top. The
 * innermost one is ours: in a cluster inside a container the outer one belongs to the cluster outside.
 */
export function headsOfAgent(ownPaths: readonly string[]): readonly KubepodsHead[] {
  for (const path of ownPaths) {
    const parts = path.slice(1).split("/");
    const last = parts.findLastIndex((part) => allPods.test(part));
    if (last >= 0 && !parts.includes("..")) return [parts.slice(0, last + 1)];
  }
  return headsOfRoot("/");
}

/**
 * Reads the paths of one process (see cgroupPaths in ../cgroup.ts). Undefined for a process that is in no pod of this node, or in
 * a pod's cgroup but in no container.
 *
 * @throws {Error} when hierarchies name different containers: somebody has moved the process in one of them
 */
export function podOfCgroup(
  paths: readonly string[],
  heads: readonly KubepodsHead[],
): PodCgroup | undefined {
  const found = paths.flatMap((path) => {
    const { podUid, containerId } = podOfPath(path, heads) ?? {};
    return podUid === undefined || containerId === undefined ? [] : [{ podUid, containerId }];
  });
  const [first] = found;
  const isSame = (each: PodCgroup): boolean =>
    each.podUid === first?.podUid && each.containerId === first.containerId;
  if (!found.every(isSame)) throw new Error("cgroup hierarchies name different containers");
  return first;
}

/**
 * UIDs of the pods whose cgroups the paths of one process go through, in a container or not: a sandbox may be in none. Usually one,
 * or none.
 */
export function podsAround(
  paths: readonly string[],
  heads: readonly KubepodsHead[],
): ReadonlySet<string> {
  return new Set(paths.flatMap((path) => podOfPath(path, heads)?.podUid ?? []));
}

function podOfPath(
  path: string,
  heads: readonly KubepodsHead[],
): { readonly podUid: string; readonly containerId: string | undefined } | undefined {
  const parts = path.slice(1).split("/");
  const up = parts.findIndex((part) => part !== "..");
  if (up < 0) return undefined;
  const below = up === 0 ? belowHead(parts, heads) : belowAncestor(parts.slice(up));
  if (below === undefined) return undefined;
  const [first = "", second = ""] = below;
  const [, glued, gluedId] = podAndContainer.exec(first) ?? [];
  if (glued !== undefined && gluedId !== undefined) {
    return { podUid: glued.replaceAll("_", "-"), containerId: gluedId };
  }
  const [, plain, inSlice] = pod.exec(first) ?? [];
  const podUid = plain ?? inSlice?.replaceAll("_", "-");
  const containerId = container.exec(second)?.[1];
  return podUid === undefined ? undefined : { podUid, containerId };
}

function belowHead(
  parts: readonly string[],
  heads: readonly KubepodsHead[],
): readonly string[] | undefined {
  const head = heads.find((each) => startsWith(parts, each));
  if (head !== undefined) return withoutServiceClass(parts.slice(head.length));
  return startsWith(parts, runtimeService) ? parts.slice(2, 3) : parts.slice(0, 1);
}

/**
 * A path out of the agent's own cgroup namespace goes up to what both have in common, which is a cgroup around the agent's own
 * container: nothing that another container made. What is above it cannot be seen, so the pod has to come next.
 */
function belowAncestor(parts: readonly string[]): readonly string[] {
  return withoutServiceClass(allPods.test(parts[0] ?? "") ? parts.slice(1) : parts);
}

function withoutServiceClass(parts: readonly string[]): readonly string[] {
  return serviceClass.test(parts[0] ?? "") ? parts.slice(1) : parts;
}

function startsWith(parts: readonly string[], head: readonly string[]): boolean {
  return head.every((part, i) => parts[i] === part);
}
