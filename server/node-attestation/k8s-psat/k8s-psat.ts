import {
  invalidArgument,
  permissionDenied,
  StatusError,
  unavailable,
} from "../../../runtime/errors/status-error.ts";
import { retryInfo } from "../../../runtime/rpc/status-details.ts";
import { SpiffeId, type TrustDomain } from "../../../spiffe/id/spiffe-id.ts";
import type { Cluster } from "../../k8s/cluster.ts";
import type { Clusters } from "../../k8s/clusters.ts";
import { KubeError } from "../../k8s/kube-error.ts";
import { type ReviewedToken, reviewToken } from "../../k8s/token-review.ts";
import type { NodeAttestor, NodeIdentity } from "../node-attestor.ts";
import { parseEvidence } from "./evidence.ts";
import { type FoundPod, findPod } from "./find-pod.ts";
import { K8S_PSAT, psatSelectors } from "./selectors.ts";

const TIME_LIMIT_MS = 8_000;
const RETRY_MS = 2_000;

/** What the attestor needs. */
export interface K8sPsatDeps {
  readonly trustDomain: TrustDomain;
  readonly clusters: Pick<Clusters, "get">;
}

/**
 * Attests by the projected token of the agent's pod: the cluster's API server says whose token it is, and the pod and node that it
 * is bound to must be those that are there now. What an API server cannot answer now is UNAVAILABLE, never a refusal: agents take
 * a refusal for the end.
 */
export function k8sPsatAttestor({ trustDomain, clusters }: K8sPsatDeps): NodeAttestor {
  return {
    type: K8S_PSAT,
    attest: async ({ payload }) => {
      const { cluster: name, token } = parseEvidence(payload);
      const cluster = clusters.get(name);
      if (cluster === undefined) {
        throw invalidArgument(`failed to attest: cluster ${JSON.stringify(name)} is not known`, {
          reason: "cluster_unknown",
        });
      }
      const limit = AbortSignal.any([AbortSignal.timeout(TIME_LIMIT_MS), cluster.signal]);
      try {
        const review = await judgeToken(cluster, token, limit);
        const found = await findPod(cluster, review, limit);
        return identityOf(trustDomain, cluster, found);
      } catch (err) {
        throw explain(cluster, err);
      }
    },
  };
}

async function judgeToken(
  cluster: Cluster,
  token: string,
  signal: AbortSignal,
): Promise<ReviewedToken> {
  const { audiences, serviceAccounts } = cluster.rules;
  const review = await reviewToken(cluster.client, { token, audiences }, signal);
  if (review === undefined) {
    throw permissionDenied("failed to attest: the cluster does not accept the token", {
      reason: "token_refused",
    });
  }
  const { namespace, name } = review.serviceAccount;
  if (serviceAccounts.includes(`${namespace}:${name}`)) return review;
  throw permissionDenied("failed to attest: the token is that of another service account", {
    reason: "service_account_refused",
  });
}

function identityOf(
  trustDomain: TrustDomain,
  { name, rules }: Cluster,
  found: FoundPod,
): NodeIdentity {
  const last = rules.agentIdBy === "node" ? found.node.uid : `pod/${found.pod.uid}`;
  return {
    agentId: SpiffeId.fromPath(trustDomain, `/spire/agent/${K8S_PSAT}/${name}/${last}`),
    selectors: psatSelectors(name, found, rules),
    canReattest: true,
  };
}

function explain({ name }: Cluster, err: unknown): unknown {
  if (err instanceof StatusError) return err;
  const retryMs = err instanceof KubeError ? (err.retryAfterMs ?? RETRY_MS) : RETRY_MS;
  return unavailable(`failed to attest: cluster ${name} cannot be asked about the token now`, {
    reason: "cluster_unavailable",
    details: [retryInfo(retryMs)],
    cause: err,
  });
}
