import type { Namespace } from "../k8s/objects/namespace.ts";
import type { Node } from "../k8s/objects/node.ts";
import type { Pod } from "../k8s/objects/pod.ts";
import { selects, selectsNamespace } from "./desired-entries.ts";
import { podGroup, staticGroup } from "./desired-entry.ts";
import type { PodSurroundings } from "./pod-surroundings.ts";
import type { RegistrarRules } from "./registrar-rules.ts";
import type { StaticEntry } from "./resources/cluster-static-entry.ts";
import type { ResourceReading } from "./resources/parse-resource.ts";
import type { PodRule } from "./resources/pod-rule.ts";
import { nameOfResource } from "./resources/resource.ts";
import type { Service } from "./service.ts";

/**
 * The cluster as the registrar sees it, and who is touched by what. Every method that takes a change answers with the groups whose
 * entries it may concern, so that the cost of a change is that change.
 */
export class ClusterIndex {
  readonly #settings: RegistrarRules;
  readonly #podsByUid = new Map<string, Pod>();
  readonly #uidsByNode = new Map<string, Set<string>>();
  readonly #uidsByNamespace = new Map<string, Set<string>>();
  readonly #nodes = new Map<string, Node>();
  readonly #namespaces = new Map<string, Namespace>();
  readonly #services = new Map<string, Map<string, Service>>();
  readonly #readings = new Map<string, ResourceReading>();
  readonly #rules = new Map<string, PodRule>();
  #areServicesKnown = false;
  readonly #statics = new Map<string, StaticEntry>();

  constructor(settings: RegistrarRules) {
    this.#settings = settings;
  }

  /** The rules that select pods, by name. */
  get rules(): ReadonlyMap<string, PodRule> {
    return this.#rules;
  }

  /** Every resource by name, also those that cannot be read. */
  get readings(): ReadonlyMap<string, ResourceReading> {
    return this.#readings;
  }

  get namespaces(): Iterable<Namespace> {
    return this.#namespaces.values();
  }

  get podCount(): number {
    return this.#podsByUid.size;
  }

  /** Every group that there can be entries for. */
  *groups(): Generator<string> {
    for (const uid of this.#podsByUid.keys()) yield podGroup(uid);
    for (const uid of this.#statics.keys()) yield staticGroup(uid);
  }

  /** What is known around the pod of a group; undefined when there is no such pod. */
  surroundings(group: string): PodSurroundings | undefined {
    const pod = group.startsWith("pod:") ? this.#podsByUid.get(group.slice(4)) : undefined;
    if (pod === undefined) return undefined;
    return {
      pod,
      node: pod.nodeName === undefined ? undefined : this.#nodes.get(pod.nodeName),
      namespace: this.#namespaces.get(pod.namespace),
      services: this.#areServicesKnown
        ? (this.#services.get(pod.namespace)?.values() ?? [])
        : undefined,
      // Owners are not watched: of a ReplicaSet its Deployment is known by name.
      lookupOwner: () => undefined,
    };
  }

  /** The resource of a group that is not a pod's. */
  staticEntry(group: string): StaticEntry | undefined {
    return this.#statics.get(group.slice("static:".length));
  }

  putPod(pod: Pod): readonly string[] {
    const before = this.#podsByUid.get(pod.uid);
    if (before !== undefined && before.nodeName !== pod.nodeName) this.#unplace(before);
    this.#podsByUid.set(pod.uid, pod);
    if (pod.nodeName !== undefined) addTo(this.#uidsByNode, pod.nodeName, pod.uid);
    addTo(this.#uidsByNamespace, pod.namespace, pod.uid);
    return [podGroup(pod.uid)];
  }

  removePod(pod: Pod): readonly string[] {
    this.#podsByUid.delete(pod.uid);
    this.#unplace(pod);
    removeFrom(this.#uidsByNamespace, pod.namespace, pod.uid);
    return [podGroup(pod.uid)];
  }

  putNode(node: Node): readonly string[] {
    this.#nodes.set(node.name, node);
    return this.#groupsOfNode(node.name);
  }

  removeNode({ name, uid }: Node): readonly string[] {
    // A node that was made anew under its name may be here already.
    if (this.#nodes.get(name)?.uid === uid) this.#nodes.delete(name);
    return this.#groupsOfNode(name);
  }

  /** Names of the rules that select another of two states of a namespace; undefined is a namespace that is not there. */
  rulesThatTell(before: Namespace | undefined, after: Namespace | undefined): readonly string[] {
    const isSelected = (rule: PodRule, namespace: Namespace | undefined): boolean =>
      namespace !== undefined && selectsNamespace(rule, namespace);
    const rules = [...this.#rules];
    return rules.flatMap(([name, rule]) =>
      isSelected(rule, before) === isSelected(rule, after) ? [] : [name],
    );
  }

  /** A namespace by name. */
  namespace(name: string): Namespace | undefined {
    return this.#namespaces.get(name);
  }

  putNamespace(namespace: Namespace): readonly string[] {
    this.#namespaces.set(namespace.name, namespace);
    return this.#groupsOfNamespace(namespace.name);
  }

  removeNamespace({ name, uid }: Namespace): readonly string[] {
    if (this.#namespaces.get(name)?.uid === uid) this.#namespaces.delete(name);
    return this.#groupsOfNamespace(name);
  }

  putService(service: Service): readonly string[] {
    const namespace = service.namespace ?? "";
    const services = this.#services.get(namespace) ?? new Map<string, Service>();
    this.#services.set(namespace, services.set(service.name, service));
    return this.#groupsWithServices(namespace);
  }

  removeService({ namespace = "", name }: Service): readonly string[] {
    this.#services.get(namespace)?.delete(name);
    return this.#groupsWithServices(namespace);
  }

  /** Notes that every service is here. @returns the groups that waited for them */
  knowServices(): readonly string[] {
    this.#areServicesKnown = true;
    const wanting = this.#rules.values().filter((rule) => rule.autoPopulateDnsNames);
    return [...new Set(wanting.flatMap((rule) => this.groupsOf(rule)))];
  }

  /** @returns the groups whose entries the resource, as it was or as it is, has to do with */
  putResource(reading: ResourceReading): readonly string[] {
    const name = nameOfReading(reading);
    const touched = this.#forget(name);
    this.#readings.set(name, reading);
    if (!reading.ok) return touched;
    const { resource } = reading;
    if (resource.kind === "ClusterStaticEntry") {
      this.#statics.set(resource.meta.uid, resource);
      return [...touched, staticGroup(resource.meta.uid)];
    }
    if (resource.kind === "ClusterFederatedTrustDomain") return touched;
    this.#rules.set(name, resource);
    return [...new Set([...touched, ...this.groupsOf(resource)])];
  }

  removeResource(reading: ResourceReading): readonly string[] {
    return this.#forget(nameOfReading(reading));
  }

  /** The pods that a rule selects. */
  groupsOf(rule: PodRule): readonly string[] {
    const names =
      rule.onlyNamespace === undefined ? this.#uidsByNamespace.keys() : [rule.onlyNamespace];
    const groups: string[] = [];
    for (const name of names) {
      const namespace = this.#namespaces.get(name);
      for (const uid of this.#uidsByNamespace.get(name) ?? []) {
        const pod = this.#podsByUid.get(uid);
        if (pod !== undefined && selects(rule, pod, namespace, this.#settings)) {
          groups.push(podGroup(uid));
        }
      }
    }
    return groups;
  }

  #forget(name: string): readonly string[] {
    const before = this.#readings.get(name);
    this.#readings.delete(name);
    const rule = this.#rules.get(name);
    this.#rules.delete(name);
    if (rule !== undefined) return this.groupsOf(rule);
    if (before?.ok !== true || before.resource.kind !== "ClusterStaticEntry") return [];
    const { uid } = before.resource.meta;
    this.#statics.delete(uid);
    return [staticGroup(uid)];
  }

  #groupsOfNode(name: string): readonly string[] {
    return [...(this.#uidsByNode.get(name) ?? [])].map(podGroup);
  }

  #groupsOfNamespace(name: string): readonly string[] {
    return [...(this.#uidsByNamespace.get(name) ?? [])].map(podGroup);
  }

  #groupsWithServices(namespace: string): readonly string[] {
    const isUsed = this.#rules.values().some((rule) => rule.autoPopulateDnsNames);
    return isUsed ? this.#groupsOfNamespace(namespace) : [];
  }

  #unplace({ nodeName, uid }: Pod): void {
    if (nodeName !== undefined) removeFrom(this.#uidsByNode, nodeName, uid);
  }
}

/** A resource's name for maps: its kind, namespace and name. */
export function nameOfReading(reading: ResourceReading): string {
  return nameOfResource(reading.ok ? reading.resource : reading);
}

function addTo(sets: Map<string, Set<string>>, key: string, value: string): void {
  const set = sets.get(key) ?? new Set();
  sets.set(key, set.add(value));
}

function removeFrom(sets: Map<string, Set<string>>, key: string, value: string): void {
  const set = sets.get(key);
  set?.delete(value);
  if (set?.size === 0) sets.delete(key);
}
