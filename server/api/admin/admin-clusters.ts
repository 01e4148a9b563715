/** Kubernetes clusters that come and go while the server runs: three calls of assay.admin.v1. */
import { create } from "@bufbuild/protobuf";
import { decodeText, requireField } from "../../../proto/convert/field.ts";
import {
  type Admin,
  type ClusterAccess,
  ClusterSchema,
  type Cluster as WireCluster,
} from "../../../proto/gen/assay/admin/v1/admin_pb.ts";
import {
  alreadyExists,
  failedPrecondition,
  invalidArgument,
} from "../../../runtime/errors/status-error.ts";
import type { Handlers } from "../../../runtime/rpc/service.ts";
import type { Clock } from "../../../runtime/time/clock.ts";
import { type ClusterRules, parseClusterRules } from "../../config/cluster-settings.ts";
import { staticAccess } from "../../k8s/access.ts";
import { checkCluster } from "../../k8s/check-cluster.ts";
import { type Cluster, clusterUid } from "../../k8s/cluster.ts";
import type { KnownClusters } from "../../k8s/known-clusters.ts";
import { KubeClient } from "../../k8s/kube-client.ts";
import { KubeError } from "../../k8s/kube-error.ts";
import { HttpsTransport } from "../../k8s/transport.ts";
import type { ClusterAccessRecord } from "../../store/records.ts";
import type { Store } from "../../store/store.ts";
import { type Caller, nameOfCaller } from "../caller.ts";

export interface AdminClustersDeps {
  readonly known: KnownClusters;
  /** Whether this server has a registrar for a cluster, by its configuration. */
  readonly hasRegistrar: (cluster: string) => boolean;
  readonly store: Pick<Store, "write">;
  readonly clock: Clock;
}

const MAX_PEM_BYTES = 256 * 1024;
const MAX_TOKEN_BYTES = 16 * 1024;
const MAX_URL_BYTES = 2048;

export function adminClusters(
  deps: AdminClustersDeps,
): Pick<Handlers<typeof Admin, Caller>, "addCluster" | "removeCluster" | "listClusters"> {
  const { known, store, clock } = deps;
  return {
    addCluster: async ({ cluster, access, unchecked }, ctx) => {
      const { name, rules } = decodeRules(requireField("cluster", cluster));
      const reached = decodeAccess(requireField("access", access));
      if (known.isConfigured(name)) {
        throw alreadyExists(`cluster ${name} is one of the configuration`);
      }
      // Entries of pods have the agent of the pod's node as parent, which an agent by pod never is.
      if (rules.agentIdBy === "pod" && deps.hasRegistrar(name)) {
        throw failedPrecondition(
          `agent_id_by: expected "node", because the registrar of ${name} writes entries for agents by node`,
          { reason: "cluster_has_registrar" },
        );
      }
      if (!unchecked) await check(deps, name, reached, ctx.signal);
      const now = Math.floor(clock.now().getTime() / 1000);
      const actor = nameOfCaller(ctx.caller);
      await store.write("addCluster", { name, access: reached, rules, now, actor });
      await known.refresh();
      ctx.log.info({ cluster: name }, "Added cluster");
      const added = known.clusters.get(name);
      return added === undefined ? {} : { cluster: encode(added, clock) };
    },

    removeCluster: async ({ name }, ctx) => {
      if (known.isConfigured(name)) {
        throw failedPrecondition(`cluster ${name} is one of the configuration: remove it there`, {
          reason: "cluster_configured",
        });
      }
      await store.write("removeCluster", { name });
      await known.refresh();
      ctx.log.info({ cluster: name }, "Removed cluster");
      return {};
    },

    listClusters: async () => {
      const clusters = [...known.clusters.feed.value.values()];
      return { clusters: clusters.map((cluster) => encode(cluster, clock)) };
    },
  };
}

/** That the API server answers and lets us, and that it is not a cluster which is known under another name. */
async function check(
  { known }: AdminClustersDeps,
  name: string,
  access: ClusterAccessRecord,
  signal: AbortSignal,
): Promise<void> {
  using transport = new HttpsTransport(staticAccess(access));
  let uid: string;
  try {
    uid = await checkCluster(new KubeClient(transport), signal);
  } catch (cause) {
    if (!(cause instanceof KubeError)) throw cause;
    throw failedPrecondition(`cluster ${name} cannot be used: ${cause.message}`, {
      reason: "cluster_unusable",
      cause,
    });
  }
  for (const other of known.clusters.feed.value.values()) {
    if (other.name !== name && clusterUid(other) === uid) {
      throw alreadyExists(`this cluster is known as ${other.name}`, { reason: "cluster_known" });
    }
  }
}

function decodeRules(cluster: WireCluster): { name: string; rules: ClusterRules } {
  const { name, serviceAccounts, audiences, agentIdBy, nodeLabels, podLabels } = cluster;
  return refusing("cluster", () =>
    parseClusterRules({
      name,
      serviceAccounts,
      ...(audiences.length === 0 ? {} : { audiences }),
      ...(agentIdBy === "" ? {} : { agentIdBy }),
      nodeLabels,
      podLabels,
    }),
  );
}

function decodeAccess(access: ClusterAccess): ClusterAccessRecord {
  const text = (field: string, value: string, maxBytes: number): string | undefined =>
    decodeText(`access.${field}`, value, { maxBytes }) || undefined;
  const record: ClusterAccessRecord = {
    server: text("server", access.server, MAX_URL_BYTES) ?? "",
    tls: {
      ca: text("ca_certificates", access.caCertificates, MAX_PEM_BYTES),
      cert: text("client_certificate", access.clientCertificate, MAX_PEM_BYTES),
      key: text("client_key", access.clientKey, MAX_PEM_BYTES),
      servername: text("tls_server_name", access.tlsServerName, MAX_URL_BYTES),
    },
    token: text("token", access.token, MAX_TOKEN_BYTES),
  };
  refusing("access", () => staticAccess(record));
  return record;
}

function refusing<T>(field: string, read: () => T): T {
  try {
    return read();
  } catch (cause) {
    const rule = cause instanceof Error ? cause.message : "malformed";
    throw invalidArgument(`${field}: ${rule}`, { reason: "field_invalid", cause });
  }
}

function encode(cluster: Cluster, clock: Clock): WireCluster {
  const { name, origin, rules, nodes, pods } = cluster;
  return create(ClusterSchema, {
    name,
    origin,
    serviceAccounts: [...rules.serviceAccounts],
    audiences: [...rules.audiences],
    agentIdBy: rules.agentIdBy,
    nodeLabels: [...rules.nodeLabels],
    podLabels: [...rules.podLabels],
    uid: clusterUid(cluster) ?? "",
    current: nodes.isCurrent && pods.isCurrent,
    nodes: BigInt(nodes.size),
    pods: BigInt(pods.size),
    heardAtMs: heardAt(nodes.ageMs, clock),
  });
}

function heardAt(ageMs: number, clock: Clock): bigint {
  return Number.isFinite(ageMs) ? BigInt(Math.round(clock.now().getTime() - ageMs)) : 0n;
}
