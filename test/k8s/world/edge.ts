import { eventually } from "../../support/eventually.ts";
import { Cluster } from "../cluster/cluster.ts";
import { assay } from "./assay-command.ts";
import { agentPod } from "./node-evidence.ts";
import { installChart, kubeconfigOfServer, system, trustDomain, type Values } from "./world.ts";

/** The name of the second cluster at the server. */
export const edgeName = "edge";

/** Who its registrar is. */
export const edgeRegistrar: string = `spiffe://${trustDomain}/edge/registrar`;

/** What its registrar may give out. */
export const edgeIds = "/edge/**";

const services = `/api/v1/namespaces/${system}/services`;
const nodePort = 30081;

/** What the server is told beforehand of a cluster that comes later: its registrar's scope, and where to publish the bundle. */
export const serverOfEdge: Values = {
  server: {
    config: {
      operators: [
        {
          id: edgeRegistrar,
          roles: ["registrar", "viewer"],
          registrar: {
            cluster: edgeName,
            parents: [`/spire/agent/k8s_psat/${edgeName}/**`],
            ids: [edgeIds],
          },
        },
      ],
      bundlePublishers: {
        kubernetes: {
          clusters: { [edgeName]: { namespace: system, ownerClusterRole: "assay-server" } },
        },
      },
    },
  },
};

/** A second cluster, with agents of the first one's server. It is added while the server runs. */
export async function startEdge(main: Cluster): Promise<Cluster> {
  const edge = await Cluster.start({ nodes: 1, peer: main, images: main.images });
  try {
    await main.client.create(services, {
      metadata: { name: "outside" },
      spec: {
        type: "NodePort",
        selector: { "app.kubernetes.io/name": "assay-server" },
        ports: [{ port: 8081, nodePort }],
      },
    });
    const agent = { servers: [serverAddress(main)] };
    const values = {
      ...{ clusterName: edgeName, server: { enabled: false }, agent },
      defaultIdentity: { spiffeIDTemplate },
    };
    // Its agents wait for what the server publishes once it knows the cluster.
    await installChart(edge, values, { wait: false });
    const add = ["cluster", "add", edgeName, "--kubeconfig", "/dev/stdin"];
    const accounts = ["--service-account", `${system}:assay-agent`];
    await assay(main, [...add, ...accounts], { input: await kubeconfigOfServer(edge) });
    return edge;
  } catch (error) {
    await edge[Symbol.asyncDispose]();
    throw error;
  }
}

/** Takes away what the first cluster has of it. */
export async function forgetEdge(main: Cluster): Promise<void> {
  await assay(main, ["cluster", "remove", edgeName]);
  await main.client.delete(`${services}/outside`);
}

const spiffeIDTemplate =
  "spiffe://{{ .TrustDomain }}/edge/ns/{{ .PodMeta.Namespace }}/sa/{{ .PodSpec.ServiceAccountName }}";

/** The SPIFFE ID that its default resource gives. */
export function edgeId(namespace: string): string {
  return `spiffe://${trustDomain}/edge/ns/${namespace}/sa/default`;
}

/** Waits until its agent serves. @returns the agent's SPIFFE ID */
export async function edgeAgent(main: Cluster, edge: Cluster): Promise<string> {
  await eventually(
    "the agent of the second cluster",
    async () => {
      const ready = (await agentPod(edge, "node1")).status?.containerStatuses?.[0]?.ready;
      return ready === true ? true : undefined;
    },
    { timeoutMs: 120_000, intervalMs: 200 },
  );
  const agents = await assay(main, ["agent", "list"]);
  const found = agents.find(({ id }) => String(id).includes(`/k8s_psat/${edgeName}/`));
  if (found === undefined) throw new Error("the server knows no agent of the second cluster");
  return String(found["id"]);
}

/** Where the second cluster reaches the server. */
export function serverAddress(main: Cluster): string {
  return `${main.node("node1").address}:${nodePort}`;
}
