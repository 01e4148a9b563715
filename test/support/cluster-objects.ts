import { type Namespace, parseNamespace } from "../../server/k8s/objects/namespace.ts";
import { type Node, parseNode } from "../../server/k8s/objects/node.ts";
import { type Pod, parsePod } from "../../server/k8s/objects/pod.ts";
import { type RegistrarRules, registrarGrants } from "../../server/registrar/registrar-rules.ts";
import type { StaticEntry } from "../../server/registrar/resources/cluster-static-entry.ts";
import {
  type ParsedResource,
  parseResource,
} from "../../server/registrar/resources/parse-resource.ts";
import type { PodRule } from "../../server/registrar/resources/pod-rule.ts";
import type { ResourceKind } from "../../server/registrar/resources/resource.ts";
import { parseService, type Service } from "../../server/registrar/service.ts";
import { IdPattern } from "../../spiffe/id/id-pattern.ts";

/** Objects of a cluster, as its API would give them, cut down to what a test is about. */
interface PodChanges {
  readonly metadata?: object;
  readonly spec?: object;
  readonly status?: object;
}

/** The raw object of a running pod of namespace shop on node-1. */
export function rawPod(name: string, changes: PodChanges = {}): object {
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: {
      name,
      namespace: "shop",
      uid: `uid-${name}`,
      labels: { app: "web" },
      ...changes.metadata,
    },
    spec: {
      nodeName: "node-1",
      serviceAccountName: "web",
      containers: [{ name: "main", image: "web:1" }],
      ...changes.spec,
    },
    status: {
      phase: "Running",
      containerStatuses: [{ name: "main", state: { running: {} } }],
      ...changes.status,
    },
  };
}

export function pod(name: string, changes: PodChanges = {}): Pod {
  return parsePod(rawPod(name, changes));
}

export function node(name = "node-1", metadata: object = {}): Node {
  return parseNode({ metadata: { name, uid: `uid-${name}`, ...metadata }, spec: {} });
}

export function namespace(name = "shop", labels: Record<string, string> = {}): Namespace {
  return parseNamespace({ metadata: { name, uid: `uid-${name}`, labels } });
}

export function service(name: string, selector: Record<string, string>, of = "shop"): Service {
  return parseService({
    metadata: { name, namespace: of, uid: `uid-${name}` },
    spec: { selector },
  });
}

/** The raw object of a custom resource. */
export function rawResource(
  kind: ResourceKind,
  name: string,
  spec: object,
  metadata: object = {},
): object {
  const isOurs = kind === "WorkloadIdentity";
  return {
    apiVersion: isOurs ? "assay.dev/v1alpha1" : "spire.spiffe.io/v1alpha1",
    kind,
    metadata: {
      name,
      uid: `uid-${kind}-${name}`,
      generation: 1,
      creationTimestamp: "2026-01-01T00:00:00Z",
      ...(isOurs && { namespace: "shop" }),
      ...metadata,
    },
    spec,
  };
}

/** What a ClusterStaticEntry says unless told otherwise. */
export const STATIC_SPEC: object = {
  spiffeID: "spiffe://example.test/ns/vm",
  parentID: "spiffe://example.test/spire/agent/k8s_psat/east/uid-node-1",
  selectors: ["unix:uid:1"],
};

/** A resource that has to be right. */
export function resource(
  kind: ResourceKind,
  name: string,
  spec: object,
  metadata: object = {},
): ParsedResource {
  const reading = parseResource(kind, rawResource(kind, name, spec, metadata), "example.test");
  if (reading.ok) return reading.resource;
  throw new Error(reading.problems.map(({ path, message }) => `${path}: ${message}`).join("\n"));
}

/** A ClusterSPIFFEID, which gives `spiffe://example.test/ns/NS/sa/SA` unless told otherwise. */
export function clusterSpiffeId(name: string, spec: object = {}, metadata: object = {}): PodRule {
  const spiffeIDTemplate =
    "spiffe://{{ .TrustDomain }}/ns/{{ .PodMeta.Namespace }}/sa/{{ .PodSpec.ServiceAccountName }}";
  return podRule(resource("ClusterSPIFFEID", name, { spiffeIDTemplate, ...spec }, metadata));
}

export function workloadIdentity(name: string, spec: object = {}, metadata: object = {}): PodRule {
  return podRule(resource("WorkloadIdentity", name, spec, metadata));
}

/** A ClusterStaticEntry; what is not given is the same for all. */
export function clusterStaticEntry(name: string, spec: object = {}): StaticEntry {
  const parsed = resource("ClusterStaticEntry", name, { ...STATIC_SPEC, ...spec });
  if (parsed.kind === "ClusterStaticEntry") return parsed;
  throw new Error(`${parsed.kind} spells out no entry`);
}

function podRule(parsed: ParsedResource): PodRule {
  if (parsed.kind === "ClusterSPIFFEID" || parsed.kind === "WorkloadIdentity") return parsed;
  throw new Error(`${parsed.kind} is no rule for pods`);
}

/** Rules of a registrar that may give out anything below /ns. */
export function registrarRules(changes: Partial<RegistrarRules> = {}): RegistrarRules {
  return {
    trustDomain: "example.test",
    clusterName: "east",
    clusterDomain: "cluster.local",
    clusterUid: "uid-kube-system",
    grants: registrarGrants("east", {
      ids: [IdPattern.parse("/ns/**")],
      parents: [],
      privileged: false,
      federation: false,
    }),
    ignoredNamespaces: new Set(["kube-system"]),
    defaultX509SvidTtlSeconds: 0,
    defaultJwtSvidTtlSeconds: 0,
    ...changes,
  };
}
