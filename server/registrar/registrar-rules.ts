import { IdPattern } from "../../spiffe/id/id-pattern.ts";
import type { RegistrarSettings } from "../config/registrar-settings.ts";
import type { Grants, Role } from "../config/roles.ts";
import type { TemplateContext } from "./template-data.ts";

/** What holds for all entries of one cluster. */
export interface RegistrarRules extends TemplateContext {
  /** What the registrar may write; the server decides by the same. */
  readonly grants: Grants;
  /** UID of the cluster's kube-system namespace. */
  readonly clusterUid: string;
  /** Namespaces whose pods get nothing. */
  readonly ignoredNamespaces: ReadonlySet<string>;
  /** Seconds; 0 for the server's default. */
  readonly defaultX509SvidTtlSeconds: number;
  readonly defaultJwtSvidTtlSeconds: number;
}

/** The grants of the registrar of a cluster: the cluster's agents, the patterns of IDs, and entries that it made. */
export function registrarGrants(
  cluster: string,
  settings: Pick<RegistrarSettings, "ids" | "parents" | "privileged" | "federation">,
): Grants {
  const agents = IdPattern.parse(`/spire/agent/k8s_psat/${cluster}/**`);
  return {
    roles: new Set<Role>([
      "registrar",
      ...(settings.privileged ? (["key-admin"] as const) : []),
      ...(settings.federation ? (["federator"] as const) : []),
    ]),
    registrar: { ids: settings.ids, parents: [agents, ...settings.parents], cluster },
  };
}

/** The SPIFFE ID of the agent on a node. */
export function nodeAgentId(rules: TemplateContext, nodeUid: string): string {
  return `spiffe://${rules.trustDomain}/spire/agent/k8s_psat/${rules.clusterName}/${nodeUid}`;
}
