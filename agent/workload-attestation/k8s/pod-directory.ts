import type { ContainerStatus, Pod } from "./pod.ts";

/** What is remembered of a pod. */
export interface KnownPod {
  /** As the kubelet listed it last. */
  readonly pod: Pod;
  /** When it did, on the monotonic clock. */
  readonly seenAtMs: number;
  /** Every container that it was ever listed with, by ID: what one runs cannot change. */
  readonly containers: ReadonlyMap<string, ContainerStatus>;
}

/** How long a pod is remembered that the kubelet no longer lists: a restarted kubelet begins with none. */
const forgetAfterMs = 10 * 60_000;
/** A container that crashes in a loop leaves an ID each time. Those that are listed count, but none of them is forgotten. */
const maxContainers = 64;

/** The pods of this node by UID, as far as the kubelet has told. */
export class PodDirectory {
  readonly #known = new Map<string, KnownPod>();
  /** UIDs that static pods' copies in the API stand for, each with every pod that claims it. */
  #mirrors: ReadonlyMap<string, readonly string[]> = new Map();

  get size(): number {
    return this.#known.size;
  }

  /** Takes in a whole list. */
  update(pods: readonly Pod[], nowMs: number): void {
    for (const pod of pods) {
      const before = this.#known.get(pod.uid)?.containers ?? new Map<string, ContainerStatus>();
      this.#known.set(pod.uid, { pod, seenAtMs: nowMs, containers: withListed(before, pod) });
    }
    for (const [uid, { seenAtMs }] of this.#known) {
      if (nowMs - seenAtMs > forgetAfterMs) this.#known.delete(uid);
    }
    const mirrors = Map.groupBy(
      pods.filter(({ mirrorOf }) => mirrorOf !== undefined),
      ({ mirrorOf = "" }) => mirrorOf,
    );
    this.#mirrors = new Map(
      [...mirrors].map(([uid, claimants]) => [uid, claimants.map((each) => each.uid)]),
    );
  }

  /** The pod with this UID. */
  get(uid: string): KnownPod | undefined {
    return this.#known.get(uid);
  }

  /**
   * The API's copy of the static pod with this UID, if exactly one pod says that it is that and no pod has the UID itself. What it
   * says proves nothing yet, see mirror-pods.ts.
   */
  mirrorOf(uid: string): KnownPod | undefined {
    const [claimant, ...others] = this.#mirrors.get(uid) ?? [];
    if (claimant === undefined || others.length > 0 || this.#known.has(uid)) return undefined;
    return this.#known.get(claimant);
  }
}

function withListed(
  before: ReadonlyMap<string, ContainerStatus>,
  pod: Pod,
): ReadonlyMap<string, ContainerStatus> {
  const after = new Map(before);
  const listed = new Set<string>();
  for (const status of [...pod.containers, ...pod.initContainers, ...pod.ephemeralContainers]) {
    const { containerId } = status;
    if (containerId === undefined) continue;
    listed.add(containerId);
    after.delete(containerId);
    after.set(containerId, status);
  }
  // The oldest come first, and what is listed last.
  for (const oldest of after.keys()) {
    if (after.size <= maxContainers || listed.has(oldest)) break;
    after.delete(oldest);
  }
  return after;
}
