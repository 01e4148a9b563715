import { KubeError } from "./kube-error.ts";

/** A kind of object of the Kubernetes API, as its paths name it. */
export interface Resource {
  /** "" for the core group. */
  readonly group: string;
  readonly version: string;
  /** "pods" */
  readonly plural: string;
}

/** Where an object is. Without a namespace: an object of the whole cluster. */
export interface ObjectRef {
  readonly namespace?: string | undefined;
  readonly name: string;
  /** "status" */
  readonly subresource?: string;
}

/** Which objects: all of a kind, or those of a namespace, or those that selectors choose. */
export interface Scope {
  readonly namespace?: string;
  /** In the syntax of the API, such as "app=web,tier!=test". */
  readonly labelSelector?: string;
  readonly fieldSelector?: string;
}

export const PODS: Resource = { group: "", version: "v1", plural: "pods" };
export const NODES: Resource = { group: "", version: "v1", plural: "nodes" };
export const NAMESPACES: Resource = { group: "", version: "v1", plural: "namespaces" };
export const TOKEN_REVIEWS: Resource = {
  group: "authentication.k8s.io",
  version: "v1",
  plural: "tokenreviews",
};

// Stricter than any one kind's rule where it matters: no slash, and no name made of dots that a path could climb by.
const NAME = /^[A-Za-z0-9][-A-Za-z0-9_.:]{0,252}$/;

/** The path of a kind, in a namespace or in the whole cluster. @throws {KubeError} invalid */
export function collectionPath({ group, version, plural }: Resource, namespace?: string): string {
  const root = group === "" ? `/api/${version}` : `/apis/${group}/${version}`;
  const place = namespace === undefined ? "" : `/namespaces/${checkName(namespace)}`;
  return `${root}${place}/${plural}`;
}

/** The path of an object. @throws {KubeError} invalid, for what cannot be a name */
export function objectPath(
  resource: Resource,
  { namespace, name, subresource }: ObjectRef,
): string {
  const path = `${collectionPath(resource, namespace)}/${checkName(name)}`;
  return subresource === undefined ? path : `${path}/${subresource}`;
}

/** "pods apps/web" for error messages. */
export function describeRef({ plural }: Resource, { namespace, name }: ObjectRef): string {
  return `${plural} ${namespace === undefined ? name : `${namespace}/${name}`}`;
}

function checkName(name: string): string {
  if (NAME.test(name)) return encodeURIComponent(name);
  throw new KubeError("invalid", `${JSON.stringify(name.slice(0, 100))} is no name of an object`);
}
