/**
 * Which entries a pod is to have, from the resources and what the cluster says about the pod. A pure decision: what leads to it and
 * what is done about it lies elsewhere.
 */
import { checkDnsName, MAX_DNS_NAMES } from "../../proto/convert/dns-name.ts";
import { type Selector, sortSelectors } from "../../proto/selector.ts";
import { SpiffeId } from "../../spiffe/id/spiffe-id.ts";
import type { Namespace } from "../k8s/objects/namespace.ts";
import type { Node } from "../k8s/objects/node.ts";
import { hasStopped, type Pod } from "../k8s/objects/pod.ts";
import { decideEntryWrite } from "../policy/entry-access.ts";
import {
  type DesiredEntry,
  ENTRY_LABELS,
  identityOf,
  isPodUidSelector,
  podUidSelector,
} from "./desired-entry.ts";
import { type OwnerLookup, ownerOf, rootOwnerOf } from "./owner.ts";
import { nodeAgentId, type RegistrarRules } from "./registrar-rules.ts";
import type { StaticEntry } from "./resources/cluster-static-entry.ts";
import { readSelector } from "./resources/fields.ts";
import type { PodRule } from "./resources/pod-rule.ts";
import { compareResources, nameOfResource, originOf } from "./resources/resource.ts";
import type { Service } from "./service.ts";
import type { TemplateRecord } from "./template/template-value.ts";
import { templateData } from "./template-data.ts";
import { tenantInputs } from "./tenant-inputs.ts";

/** A pod with what is known around it. */
export interface PodSurroundings {
  readonly pod: Pod;
  /** Undefined while the pod has no node, or its node is not known yet. */
  readonly node: Node | undefined;
  /** Undefined while it is not known yet. */
  readonly namespace: Namespace | undefined;
  /** Services of the pod's namespace; undefined while they are not known. */
  readonly services: Iterable<Service> | undefined;
  readonly lookupOwner: OwnerLookup;
}

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
    const outcome = rendering.render(rule);
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

/** Renders rules for one pod; what several rules need is made once. */
class PodRendering {
  readonly #around: PodSurroundings & { readonly node: Node; readonly namespace: Namespace };
  readonly #settings: RegistrarRules;
  readonly #data: TemplateRecord;
  readonly #owner: string;
  readonly #rootOwner: string;

  constructor(
    around: PodSurroundings & { readonly node: Node; readonly namespace: Namespace },
    settings: RegistrarRules,
  ) {
    const { pod, node, namespace, lookupOwner } = around;
    this.#around = around;
    this.#settings = settings;
    this.#data = templateData(settings, pod, node);
    const root = rootOwnerOf(pod, lookupOwner);
    this.#rootOwner = root.name;
    this.#owner = ownerOf(pod, namespace, root);
  }

  render(rule: PodRule): RuleOutcome {
    try {
      return { kind: "entry", rule, entry: this.#entry(rule) };
    } catch (err) {
      return { kind: "failed", rule, message: messageOf(err) };
    }
  }

  #entry(rule: PodRule): DesiredEntry {
    const { pod, node } = this.#around;
    const id = within("spiffeIDTemplate", () =>
      SpiffeId.parse(`${rule.idPrefix}${rule.idTemplate.render(this.#data)}`),
    );
    const entry: DesiredEntry = {
      spiffeId: id.toString(),
      parentId: nodeAgentId(this.#settings, node.uid),
      selectors: sortSelectors([
        podUidSelector(pod.uid),
        ...rule.workloadSelectorTemplates.map((template, index) =>
          within(`workloadSelectorTemplates[${index}]`, () =>
            ownSelector(pod, template.render(this.#data)),
          ),
        ),
      ]),
      ...ttlsOf(rule, this.#settings),
      federatesWith: rule.federatesWith,
      admin: rule.admin,
      downstream: rule.downstream,
      storeSvid: false,
      dnsNames: this.#dnsNames(rule),
      hint: rule.hint,
      owner: this.#owner,
      labels: this.#labels(rule),
      origin: originOf(rule, this.#settings.clusterName),
    };
    checkAllowed(id, entry, this.#settings);
    return entry;
  }

  #dnsNames(rule: PodRule): readonly string[] {
    const given = rule.dnsNameTemplates.map((template, index) =>
      within(`dnsNameTemplates[${index}]`, () => {
        const name = template.render(this.#data);
        checkDnsName(JSON.stringify(name.slice(0, 100)), name);
        return name;
      }),
    );
    const names = uniqueNames([
      ...given,
      ...(rule.autoPopulateDnsNames ? this.#serviceNames() : []),
    ]);
    if (names.length > MAX_DNS_NAMES) throw new Error(`more than ${MAX_DNS_NAMES} DNS names`);
    return names;
  }

  #serviceNames(): readonly string[] {
    const { pod, services } = this.#around;
    if (services === undefined) {
      throw new Error("autoPopulateDNSNames: the services of the cluster are not known yet");
    }
    const names = [...services]
      .filter(({ selector }) => isBehind(pod, selector))
      .flatMap(({ name }) => {
        const inNamespace = `${name}.${pod.namespace}`;
        const inCluster = `${inNamespace}.svc.${this.#settings.clusterDomain}`;
        return [name, inNamespace, `${inNamespace}.svc`, inCluster];
      });
    return names.sort();
  }

  #labels(rule: PodRule): Readonly<Record<string, string>> {
    const { pod } = this.#around;
    const inputs = tenantInputs(rule).join(", ").slice(0, 500);
    return {
      [ENTRY_LABELS.clusterUid]: this.#settings.clusterUid,
      [ENTRY_LABELS.namespace]: pod.namespace,
      [ENTRY_LABELS.pod]: pod.name,
      [ENTRY_LABELS.rootOwner]: this.#rootOwner,
      ...(inputs !== "" && { [ENTRY_LABELS.restsOn]: inputs }),
    };
  }
}

// An entry belongs to the pod that its selector names, so it names no other.
function ownSelector(pod: Pod, text: string): Selector {
  const selector = readSelector(text);
  if (isPodUidSelector(selector) && selector.value !== podUidSelector(pod.uid).value) {
    throw new Error("expected no k8s:pod-uid selector of another pod");
  }
  return selector;
}

function checkAllowed(id: SpiffeId, entry: DesiredEntry, settings: RegistrarRules): void {
  if (id.trustDomain.name !== settings.trustDomain) {
    throw new Error(`the SPIFFE ID is not of the trust domain ${settings.trustDomain}`);
  }
  if (id.path === "") throw new Error("the SPIFFE ID has no path");
  const access = decideEntryWrite(settings.grants, {
    spiffeId: id,
    parentId: { path: SpiffeId.parse(entry.parentId).path },
    admin: entry.admin,
    downstream: entry.downstream,
    originCluster: entry.origin.cluster,
  });
  if (!access.allowed) throw new Error(`${access.message} (${id})`);
}

function ttlsOf(
  from: { readonly x509SvidTtlSeconds: number; readonly jwtSvidTtlSeconds: number },
  settings: RegistrarRules,
): Pick<DesiredEntry, "x509SvidTtlSeconds" | "jwtSvidTtlSeconds"> {
  return {
    x509SvidTtlSeconds: from.x509SvidTtlSeconds || settings.defaultX509SvidTtlSeconds,
    jwtSvidTtlSeconds: from.jwtSvidTtlSeconds || settings.defaultJwtSvidTtlSeconds,
  };
}

/** Each name once, whatever its case, in the order given: the first becomes the common name. */
function uniqueNames(names: readonly string[]): readonly string[] {
  const byFolded = new Map<string, string>();
  for (const name of names) {
    const folded = name.toLowerCase();
    if (!byFolded.has(folded)) byFolded.set(folded, name);
  }
  return [...byFolded.values()];
}

// A service without a selector names its endpoints itself, and they need not be pods.
function isBehind(pod: Pod, selector: Service["selector"]): boolean {
  const wanted = Object.entries(selector);
  return wanted.length > 0 && wanted.every(([key, value]) => pod.labels[key] === value);
}

function within<T>(field: string, make: () => T): T {
  try {
    return make();
  } catch (err) {
    throw new Error(`${field}: ${messageOf(err)}`, { cause: err });
  }
}

function messageOf(err: unknown): string {
  return err instanceof Error ? err.message : "failed";
}
