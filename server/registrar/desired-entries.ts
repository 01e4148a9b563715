/**
 * Which entries a pod is to have, from the resources and what the cluster says about the pod. A pure decision: what leads to it and
 * what is done about it lies elsewhere.
 */
import type { Namespace } from "../k8s/objects/namespace.ts";
import { hasStopped, type Pod } from "../k8s/objects/pod.ts";
import { type DesiredEntry, ENTRY_LABELS, identityOf } from "./desired-entry.ts";
import { checkAllowed, ttlsOf, uniqueNames } from "./entry-rules.ts";
import { PodRendering } from "./pod-rendering.ts";
import type { PodSurroundings } from "./pod-surroundings.ts";
import type { RegistrarRules } from "./registrar-rules.ts";
import type { StaticEntry } from "./resources/cluster-static-entry.ts";
import type { PodRule } from "./resources/pod-rule.ts";
import { compareResources, nameOfResource, originOf } from "./resources/resource.ts";

/** What a rule makes of a pod that it selects. */
export type RuleOutcome = { readonly rule: PodRule } & (
  | { readonly kind: "entry"; readonly entry: DesiredEntry }
  /** Another rule gives the pod the very same entry. */
  | { readonly kind: "masked"; readonly by: PodRule }
  /** A fallback that is not needed, or a pod that has no node yet or has ended. */
  | { readonly kind: "nothing" }
  | { readonly kind: "failed"; readonly message: string }
);

/** Whether a rule is about the pods of a namespace, if that is not ignored altogether. */
export function selectsNamespace(rule: PodRule, { name, labels }: Namespace): boolean {
  return (
    (rule.onlyNamespace === undefined || rule.onlyNamespace === name) &&
    rule.namespaceSelector.matches(labels)
  );
}

/** Whether a rule is about a pod. */
export function selects(
  rule: PodRule,
  pod: Pod,
  namespace: Namespace | undefined,
  { ignoredNamespaces }: RegistrarRules,
): boolean {
  return (
    namespace !== undefined &&
    !ignoredNamespaces.has(pod.namespace) &&
    rule.podSelector.matches(pod.labels) &&
    selectsNamespace(rule, namespace)
  );
}

/** Whether what the pod is to have cannot be told before the services of its namespace are known. */
export function needsServices(
  rules: Iterable<PodRule>,
  { pod, namespace, services }: PodSurroundings,
  settings: RegistrarRules,
): boolean {
  if (services !== undefined || !isAlive(pod)) return false;
  return [...rules].some(
    (rule) => rule.autoPopulateDnsNames && selects(rule, pod, namespace, settings),
  );
}

/** What each rule that selects the pod makes of it. */
export function desiredEntries(
  rules: Iterable<PodRule>,
  surroundings: PodSurroundings,
  settings: RegistrarRules,
): readonly RuleOutcome[] {
  const { pod, node, namespace } = surroundings;
  const selecting = [...rules].filter((rule) => selects(rule, pod, namespace, settings));
  if (selecting.length === 0) return [];
  if (node === undefined || namespace === undefined || !isAlive(pod)) {
    return selecting.map((rule) => ({ kind: "nothing", rule }));
  }
  const rendering = new PodRendering({ ...surroundings, node, namespace }, settings);
  const takenBy = new Map<string, PodRule>();
  const render = (rule: PodRule): RuleOutcome => {
    const outcome = outcomeOf(rendering, rule);
    if (outcome.kind !== "entry") return outcome;
    const identity = identityOf(outcome.entry);
    const by = takenBy.get(identity);
    if (by !== undefined) return { kind: "masked", rule, by };
    takenBy.set(identity, rule);
    return outcome;
  };
  const ordered = selecting.sort(compareResources);
  const first = ordered.filter(({ isFallback }) => !isFallback).map(render);
  const isServed = first.some(({ kind }) => kind === "entry");
  const fallbacks = ordered
    .filter(({ isFallback }) => isFallback)
    .map((rule): RuleOutcome => (isServed ? { kind: "nothing", rule } : render(rule)));
  return [...first, ...fallbacks];
}

/**
 * Whether a process of the pod may still need an identity. It ends with the task: a pod that has succeeded or failed needs none
 * however long its object stays, and one that is being deleted needs it until its containers have stopped.
 */
export function isAlive(pod: Pod): boolean {
  const isOver = pod.phase === "Succeeded" || pod.phase === "Failed";
  return !isOver && !(pod.deletionTimestamp !== undefined && hasStopped(pod));
}

/** The entry that a resource spells out, or why there is none. */
export function staticEntry(
  resource: StaticEntry,
  settings: RegistrarRules,
): DesiredEntry | { readonly message: string } {
  const { spiffeId, parentId } = resource;
  const entry: DesiredEntry = {
    spiffeId: spiffeId.toString(),
    parentId: parentId.toString(),
    selectors: resource.selectors,
    ...ttlsOf(resource, settings),
    federatesWith: resource.federatesWith,
    admin: resource.admin,
    downstream: resource.downstream,
    storeSvid: resource.storeSvid,
    dnsNames: uniqueNames(resource.dnsNames),
    hint: resource.hint,
    owner: nameOfResource(resource),
    labels: { [ENTRY_LABELS.clusterUid]: settings.clusterUid },
    origin: originOf(resource, settings.clusterName),
  };
  try {
    if (parentId.trustDomain.name !== settings.trustDomain) {
      throw new Error(`parentID: expected an ID of ${settings.trustDomain}`);
    }
    checkAllowed(spiffeId, entry, settings);
    return entry;
  } catch (err) {
    return { message: messageOf(err) };
  }
}

function outcomeOf(
  rendering: PodRendering,
  rule: PodRule,
): Extract<RuleOutcome, { readonly kind: "entry" | "failed" }> {
  try {
    return { kind: "entry", rule, entry: rendering.entry(rule) };
  } catch (err) {
    return { kind: "failed", rule, message: messageOf(err) };
  }
}

function messageOf(err: unknown): string {
  return err instanceof Error ? err.message : "failed";
}
