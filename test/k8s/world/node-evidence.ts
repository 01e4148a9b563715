import { Status, StatusError } from "../../../runtime/errors/status-error.ts";
import { BareAgent, type Evidence } from "../../support/bare-agent.ts";
import { eventually } from "../../support/eventually.ts";
import type { Cluster } from "../cluster/cluster.ts";
import type { Pod } from "../cluster/pods.ts";
import type { Admin } from "./admin.ts";
import { system, trustDomain } from "./world.ts";

/** Of which pod a token is made, and for whom. */
export interface TokenOptions {
  readonly namespace: string;
  readonly serviceAccount: string;
  /** A pod that runs under the service account. */
  readonly pod: string;
  /** "assay-server" unless given. */
  readonly audience?: string;
}

/** A token as the kubelet gives it to a pod. */
export async function podToken(cluster: Cluster, options: TokenOptions): Promise<string> {
  const { namespace, serviceAccount, pod, audience = "assay-server" } = options;
  const found = await cluster.client.get<Pod>(`/api/v1/namespaces/${namespace}/pods/${pod}`);
  const { uid } = found.metadata;
  const made = await cluster.client.create<{ readonly status: { readonly token: string } }>(
    `/api/v1/namespaces/${namespace}/serviceaccounts/${serviceAccount}/token`,
    {
      spec: {
        audiences: [audience],
        boundObjectRef: { apiVersion: "v1", kind: "Pod", name: pod, uid },
      },
    },
  );
  return made.status.token;
}

/** The pod of the agent on a node. */
export async function agentPod(cluster: Cluster, node: string): Promise<Pod> {
  const pods = await cluster.client.list<Pod>(
    `/api/v1/namespaces/${system}/pods?labelSelector=app.kubernetes.io%2Fname%3Dassay-agent`,
  );
  const found = pods.find(({ spec }) => spec?.nodeName === node);
  if (found === undefined) throw new Error(`no agent on ${node}`);
  return found;
}

/** What an agent of a cluster attests with. @param name of the cluster at the server */
export function psatEvidence(token: string, name = "main"): Evidence {
  const payload = new TextEncoder().encode(JSON.stringify({ cluster: name, token }));
  return { type: "k8s_psat", payload };
}

/** Attests over the network as whoever has this evidence. @throws {StatusError} what the server refused with */
export async function attestAs(
  cluster: Cluster,
  admin: Admin,
  evidence: Evidence,
): Promise<BareAgent> {
  const server = await cluster.client.get<Pod>(`/api/v1/namespaces/${system}/pods/assay-server-0`);
  const path = await cluster.openRelay(server.status?.podIP ?? "", 8081);
  const signal = AbortSignal.timeout(120_000);
  return BareAgent.attest({ admin, address: `unix:${path}`, trustDomain, signal, evidence });
}

/** A status as far as stories look at it. */
export interface Refusal {
  readonly code: number;
  readonly reason: string | undefined;
}

/** What attesting is refused with. A server that cannot be reached for a moment, or has yet to hear of a cluster, is asked again. */
export function attestRefusal(
  cluster: Cluster,
  admin: Admin,
  evidence: Evidence,
): Promise<Refusal> {
  const attest = async (): Promise<Refusal> => {
    try {
      using _ = await attestAs(cluster, admin, evidence);
      return { code: Status.OK, reason: undefined };
    } catch (err) {
      if (!(err instanceof StatusError) || err.code === Status.UNAVAILABLE) throw err;
      return { code: err.code, reason: err.reason };
    }
  };
  return eventually("a refusal", attest, { timeoutMs: 30_000, intervalMs: 500 });
}
