/**
 * What may share a private key (D11). An entry names the scope; the facts of a caller say which instance of that scope it is.
 */
export type InstanceScope = "platform" | "pod" | "container" | "process" | "shared";

/** What is known of a caller's place, from the kernel and the platform, never from the caller itself. */
export interface InstanceFacts {
  /** UID of the Kubernetes pod. */
  readonly podUid?: string;
  /** ID of the container, as the container runtime has it. */
  readonly containerId?: string;
  /** systemd unit, for example "billing.service". */
  readonly systemdUnit?: string;
  readonly uid: number;
  /** Tells this process from every other one of this boot, for example "4711@88123" (pid and start time). */
  readonly process: string;
  /** Who holds what is issued, where that is not the workload itself: "spiffe://example.org/proxy in pod:5f0c...". */
  readonly delegate?: string;
  /** Digest of the selectors that a delegate names its workload by, where it does not name a process. */
  readonly selectors?: string;
}

/** The instance key of every entry that says `shared`. */
export const SHARED_INSTANCE = "shared";

/** Reads the scope as entries carry it; empty and unknown scopes mean what the platform knows best. */
export function parseInstanceScope(text: string): InstanceScope {
  switch (text) {
    case "pod":
    case "container":
    case "process":
    case "shared":
      return text;
    default:
      return "platform";
  }
}

/**
 * Names the instance that a caller is under a scope, for example "pod:5f0c...". Where the platform does not know the named kind
 * another one is taken: pod, else container, else systemd unit, else uid. A delegate is an instance of its own for each
 * workload that it acts for, so that a serial still names one holder.
 */
export function instanceKey(scope: InstanceScope, facts: InstanceFacts): string {
  if (scope === "shared") return SHARED_INSTANCE;
  const own =
    facts.selectors === undefined ? ownInstance(scope, facts) : `selectors:${facts.selectors}`;
  return facts.delegate === undefined ? own : `${facts.delegate} for ${own}`;
}

function ownInstance(scope: Exclude<InstanceScope, "shared">, facts: InstanceFacts): string {
  switch (scope) {
    case "process":
      return `process:${facts.process}`;
    case "container":
      return containerInstance(facts) ?? podInstance(facts) ?? hostInstance(facts);
    case "pod":
    case "platform":
      return podInstance(facts) ?? containerInstance(facts) ?? hostInstance(facts);
  }
}

function podInstance({ podUid }: InstanceFacts): string | undefined {
  return podUid === undefined ? undefined : `pod:${podUid}`;
}

function containerInstance({ containerId }: InstanceFacts): string | undefined {
  return containerId === undefined ? undefined : `container:${containerId}`;
}

function hostInstance(facts: InstanceFacts): string {
  return facts.systemdUnit === undefined ? `uid:${facts.uid}` : `unit:${facts.systemdUnit}`;
}
