import type { ObjectMetadata } from "../k8s/objects/metadata.ts";
import type { Node } from "../k8s/objects/node.ts";
import type { Pod } from "../k8s/objects/pod.ts";
import type { TemplateShape } from "./template/template.ts";
import { TemplateMap, TemplateRecord, type TemplateValue } from "./template/template-value.ts";

/** What templates can name beside the pod and its node. */
export interface TemplateContext {
  readonly trustDomain: string;
  readonly clusterName: string;
  /** "cluster.local" unless configured. */
  readonly clusterDomain: string;
}

/** A field of the data: how it is read, and whether its keys are anybody's choice. */
type Fields<T> = Readonly<Record<string, (from: T) => string | TemplateMap>>;

const metaFields: Fields<ObjectMetadata> = {
  Name: ({ name }) => name,
  Namespace: ({ namespace }) => namespace ?? "",
  UID: ({ uid }) => uid,
  Labels: ({ labels }) => new TemplateMap(labels),
  Annotations: ({ annotations }) => new TemplateMap(annotations),
};

const podSpecFields: Fields<Pod> = {
  ServiceAccountName: ({ serviceAccountName }) => serviceAccountName ?? "",
  NodeName: ({ nodeName }) => nodeName ?? "",
  Hostname: ({ hostname }) => hostname ?? "",
  Subdomain: ({ subdomain }) => subdomain ?? "",
};

const nodeSpecFields: Fields<Node> = {
  ProviderID: ({ providerId }) => providerId ?? "",
};

/** The names that a template may use, with the names of Go's API types. */
export const TEMPLATE_SHAPE: TemplateShape = {
  TrustDomain: "value",
  ClusterName: "value",
  ClusterDomain: "value",
  PodMeta: shapeOf(metaFields),
  PodSpec: shapeOf(podSpecFields),
  NodeMeta: shapeOf(metaFields),
  NodeSpec: shapeOf(nodeSpecFields),
};

/** The data of one pod. */
export function templateData(context: TemplateContext, pod: Pod, node: Node): TemplateRecord {
  return new TemplateRecord({
    TrustDomain: context.trustDomain,
    ClusterName: context.clusterName,
    ClusterDomain: context.clusterDomain,
    PodMeta: recordOf(metaFields, pod),
    PodSpec: recordOf(podSpecFields, pod),
    NodeMeta: recordOf(metaFields, node),
    NodeSpec: recordOf(nodeSpecFields, node),
  });
}

function recordOf<T>(fields: Fields<T>, from: T): TemplateRecord {
  const values = Object.entries(fields).map(([name, read]) => [name, read(from)] as const);
  return new TemplateRecord(Object.fromEntries<TemplateValue>(values));
}

function shapeOf<T>(fields: Fields<T>): TemplateShape {
  return Object.fromEntries(
    Object.keys(fields).map((name): [string, TemplateShape] => [
      name,
      name === "Labels" || name === "Annotations" ? "any" : "value",
    ]),
  );
}
