/**
 * The instance that a credential belongs to (decision D11): no private key goes to two instances of
 * a workload unless its entry says `shared`.
 */
import type { ProcessFacts } from "./process-facts.ts";

export type InstanceScope = "pod" | "container" | "process" | "shared";

/** The instance names of one caller, one per scope that an entry may choose. */
export interface CallerInstances {
  /** Container ID, else systemd unit, else uid. */
  readonly container: string;
  readonly pod: string;
  readonly process: string;
  readonly shared: "shared";
}

/** @param podUid the pod of the caller, where an attestor found one */
export function instancesOf(facts: ProcessFacts, podUid?: string): CallerInstances {
  const { cgroup } = facts;
  const container = cgroup.containerId
    ? `container:${cgroup.containerId}`
    : cgroup.systemdUnit
      ? `unit:${cgroup.systemdUnit}`
      : `uid:${facts.uid}`;
  return {
    container,
    pod: podUid ? `pod:${podUid}` : container,
    process: `process:${facts.pid}:${facts.startTime}`,
    shared: "shared",
  };
}
