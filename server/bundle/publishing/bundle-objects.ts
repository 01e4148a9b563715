import type { Bundle } from "../../../spiffe/bundle/bundle.ts";
import { formatBundleDocument } from "../../../spiffe/bundle/bundle-document.ts";
import { formatPem } from "../../../spiffe/x509/pem.ts";
import type { Resource } from "../../k8s/resources.ts";

export const CONFIG_MAPS: Resource = { group: "", version: "v1", plural: "configmaps" };
export const CLUSTER_ROLES: Resource = {
  group: "rbac.authorization.k8s.io",
  version: "v1",
  plural: "clusterroles",
};
export const CLUSTER_TRUST_BUNDLES: Resource = {
  group: "certificates.k8s.io",
  version: "v1beta1",
  plural: "clustertrustbundles",
};

/** The ClusterRole that owns an object. */
export interface OwningRole {
  readonly name: string;
  readonly uid: string;
}

/** What tells our objects from others'. */
const LABELS = { "app.kubernetes.io/managed-by": "assay" };

/** The ConfigMap that carries a bundle: bundle.pem has the X.509 authorities, bundle.json is the SPIFFE document with all keys. */
export function configMapOf(
  { namespace, name }: { readonly namespace: string; readonly name: string },
  bundle: Bundle,
  owner: OwningRole | undefined,
): object {
  return {
    apiVersion: "v1",
    kind: "ConfigMap",
    metadata: { name, namespace, labels: LABELS, ...ownedBy(owner) },
    data: { "bundle.pem": pemOf(bundle), "bundle.json": formatBundleDocument(bundle) },
  };
}

/** The ClusterTrustBundle that carries a bundle's X.509 authorities; it belongs to no signer. */
export function clusterTrustBundleOf(
  name: string,
  bundle: Bundle,
  owner: OwningRole | undefined,
): object {
  const { group, version } = CLUSTER_TRUST_BUNDLES;
  return {
    apiVersion: `${group}/${version}`,
    kind: "ClusterTrustBundle",
    metadata: { name, labels: LABELS, ...ownedBy(owner) },
    spec: { trustBundle: pemOf(bundle) },
  };
}

/** Owned by an object of the whole cluster, what is published goes with it, in every namespace. */
function ownedBy(owner: OwningRole | undefined): object {
  if (owner === undefined) return {};
  const { group, version } = CLUSTER_ROLES;
  return {
    ownerReferences: [{ apiVersion: `${group}/${version}`, kind: "ClusterRole", ...owner }],
  };
}

function pemOf(bundle: Bundle): string {
  return bundle.x509Authorities.map(({ der }) => formatPem("CERTIFICATE", der)).join("");
}
