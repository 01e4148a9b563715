import type { PodRule } from "./resources/pod-rule.ts";

/** Fields of a pod that whoever makes the pod chooses freely. */
const CHOSEN = ["PodMeta.Labels", "PodMeta.Annotations", "PodMeta.Name", "PodSpec.Hostname"];
const SUBDOMAIN = "PodSpec.Subdomain";

/**
 * What of an identity a tenant can set: whoever may make pods in a selected namespace chooses their labels, so he chooses whether
 * the rule applies to them, and what a template reads from them. Empty when the rule rests on what only the cluster's
 * administrators and the API server set.
 */
export function tenantInputs(rule: PodRule): readonly string[] {
  // In a rule of the tenant's own namespace there is nobody to take an identity from.
  if (rule.onlyNamespace !== undefined) return [];
  const selected = rule.podSelector.keys.map((key) => `pod label ${key}`);
  const named = rule.idTemplate.paths.filter(isChosen).map((path) => `${path} in the SPIFFE ID`);
  const dns = rule.dnsNameTemplates
    .flatMap(({ paths }) => paths)
    .filter((path) => isChosen(path) || path === SUBDOMAIN)
    .map((path) => `${path} in a DNS name`);
  return [...new Set([...selected, ...named, ...dns])];
}

function isChosen(path: string): boolean {
  return CHOSEN.some((chosen) => path === chosen || path.startsWith(`${chosen}.`));
}
