import type { KnownPod } from "./pod-directory.ts";
import {
  containerValues,
  imageValues,
  labelValues,
  namespaceValues,
  podValues,
  type SelectorGroup,
} from "./pod-selectors.ts";

/** Why a group of selectors is not known yet. */
export type Missing =
  | "pod_not_listed"
  | "container_not_listed"
  /** The caller is known to be of the pod, but nobody tells of which container: for good. */
  | "container_not_named"
  | "labels_outdated"
  | "namespace_not_listed";

/** What is known of a caller in a pod, and what is not. */
export interface Decision {
  readonly values: readonly string[];
  readonly missing: readonly { readonly group: SelectorGroup; readonly why: Missing }[];
}

/** What there is to decide by. */
export interface Evidence {
  /** What the kubelet said of the pod, if it ever did. */
  readonly known: KnownPod | undefined;
  /** Undefined where only the pod is known. */
  readonly containerId: string | undefined;
  /** Whether what may change was said recently enough. */
  readonly isFresh: boolean;
  /** Labels of the pod's namespace; undefined while they are not known, "off" when nobody is to know them. */
  readonly namespaceLabels: Readonly<Record<string, string>> | undefined | "off";
}

/** Decides group by group. What is in no group that is missing, and not among the values, is false. */
export function decide({ known, containerId, isFresh, namespaceLabels }: Evidence): Decision {
  const status = containerId === undefined ? undefined : known?.containers.get(containerId);
  const values: string[] = [];
  const missing: { group: SelectorGroup; why: Missing }[] = [];
  const settle = (group: SelectorGroup, why: Missing | undefined, told: () => readonly string[]) =>
    why === undefined ? values.push(...told()) : missing.push({ group, why });

  const noPod = known === undefined ? "pod_not_listed" : undefined;
  const unlisted = containerId === undefined ? "container_not_named" : "container_not_listed";
  const noContainer = noPod ?? (status === undefined ? unlisted : undefined);
  const outdated = isFresh ? undefined : "labels_outdated";
  settle("pod", noPod, () => (known ? podValues(known.pod) : []));
  settle("labels", noPod ?? outdated, () => (known ? labelValues(known.pod) : []));
  settle("container", noContainer, () => (status ? containerValues(status) : []));
  const noImages = containerId === undefined ? (noPod ?? noneListed(known)) : noContainer;
  settle("images", noImages ?? outdated, () => (known ? imageValues(known.pod) : []));
  if (namespaceLabels !== "off") {
    const unknown = namespaceLabels === undefined ? "namespace_not_listed" : undefined;
    settle("namespace", noPod ?? unknown, () => namespaceValues(namespaceLabels ?? {}));
  }
  return { values, missing };
}

function noneListed(known: KnownPod | undefined): Missing | undefined {
  return known?.pod.containers.length === 0 ? "container_not_listed" : undefined;
}
