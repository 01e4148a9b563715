import type { ObjectMetadata, OwnerReference } from "../k8s/objects/metadata.ts";
import type { Namespace } from "../k8s/objects/namespace.ts";
import type { Pod } from "../k8s/objects/pod.ts";

/** Finds an object that owns others, such as a ReplicaSet; undefined when it is not known. */
export type OwnerLookup = (owner: OwnerReference, namespace: string) => ObjectMetadata | undefined;

/** Label on a pod or its namespace that says whose it is. */
const OWNER_LABEL = "assay.dev/owner";
const HELM_RELEASE = "meta.helm.sh/release-name";
const HELM_NAMESPACE = "meta.helm.sh/release-namespace";
const ARGO_TRACKING = "argocd.argoproj.io/tracking-id";
const HASH_LABEL = "pod-template-hash";
/** Longest chain of owners that is followed. */
const MAX_OWNERS = 8;

/** The object at the root of a pod's owners: "Deployment/shop/web"; the pod itself when nothing owns it. */
export interface RootOwner {
  readonly name: string;
  /** True for a pod that stands for itself. */
  readonly isPod: boolean;
  readonly annotations: ObjectMetadata["annotations"];
}

/** Follows the references of controllers to the root, as far as the objects are known. */
export function rootOwnerOf(pod: Pod, lookup: OwnerLookup): RootOwner {
  const { namespace } = pod;
  let object: ObjectMetadata | undefined = pod;
  let found: OwnerReference | undefined;
  for (let depth = 0; depth < MAX_OWNERS; depth += 1) {
    const owner: OwnerReference | undefined = object?.ownerReferences.find(
      (each) => each.controller,
    );
    if (owner === undefined) break;
    found = owner;
    object = lookup(owner, namespace);
  }
  if (found === undefined) {
    return { name: `Pod/${namespace}/${pod.name}`, isPod: true, annotations: {} };
  }
  const { kind, name } = object === undefined ? guessDeployment(found, pod) : found;
  return {
    name: `${kind}/${kind === "Node" ? "" : `${namespace}/`}${name}`,
    isPod: false,
    annotations: object?.annotations ?? {},
  };
}

/**
 * Whose a pod's identity is (D14): what the pod says, what its namespace says, the release or application that it was installed
 * with, the root of its owners, and "unowned" for a pod that somebody made by hand.
 */
export function ownerOf(pod: Pod, namespace: Namespace, root: RootOwner): string {
  return (
    pod.labels[OWNER_LABEL] ||
    namespace.labels[OWNER_LABEL] ||
    installationOf(pod.annotations, pod.namespace) ||
    installationOf(root.annotations, pod.namespace) ||
    (root.isPod ? "unowned" : root.name)
  );
}

function installationOf(annotations: ObjectMetadata["annotations"], namespace: string): string {
  const release = annotations[HELM_RELEASE];
  if (release) return `helm/${annotations[HELM_NAMESPACE] || namespace}/${release}`;
  const application = annotations[ARGO_TRACKING]?.split(":", 1)[0];
  return application ? `argocd/${application}` : "";
}

// A Deployment names its ReplicaSets by itself and the hash that it puts on their pods, so its name is known without looking at them.
function guessDeployment(owner: OwnerReference, pod: Pod): { kind: string; name: string } {
  const suffix = `-${pod.labels[HASH_LABEL] ?? ""}`;
  const isMade = owner.kind === "ReplicaSet" && suffix !== "-" && owner.name.endsWith(suffix);
  return isMade ? { kind: "Deployment", name: owner.name.slice(0, -suffix.length) } : owner;
}
