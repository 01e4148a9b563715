/** `assay cluster add|list|remove`: the Kubernetes clusters in which nodes can be attested. */

import { type Command, Option } from "commander";
import { Admin, type Cluster } from "../../proto/gen/assay/admin/v1/admin_pb.ts";
import type { CliIo } from "../../runtime/cli/cli-io.ts";
import { CliError, ExitCode } from "../../runtime/cli/exit-code.ts";
import { collect } from "../../runtime/cli/options.ts";
import type { Row } from "../../runtime/cli/output.ts";
import { describeError } from "../../runtime/errors/describe.ts";
import { runWithServer, type ServerOptions, withServerOptions } from "./server-cli.ts";

interface AddOptions extends ServerOptions {
  readonly kubeconfig: string;
  readonly context?: string;
  readonly serviceAccount: string[];
  readonly audience?: string[];
  readonly agentIdBy: string;
  readonly nodeLabel?: string[];
  readonly podLabel?: string[];
  readonly check: boolean;
}

const columns = ["name", "origin", "current", "nodes", "pods", "heard_at", "service_accounts"];

export function addClusterCommands(program: Command, io: CliIo): void {
  const cluster = program.command("cluster").description("Kubernetes clusters of the server.");

  withServerOptions(cluster.command("add"))
    .description("Add a cluster. Its credentials go to the server and are never shown again.")
    .argument("<name>", "how agents and their IDs name it")
    .requiredOption(
      "--kubeconfig <file>",
      "how the server is to reach it: with a token or a certificate",
    )
    .option("--context <name>", "context of the kubeconfig; its current one without it")
    .requiredOption(
      "--service-account <namespace:name>",
      "service account that agents run as; may be repeated",
      collect,
    )
    .option("--audience <audience>", "audience of agents' tokens; may be repeated", collect)
    .addOption(
      new Option("--agent-id-by <what>", "what agents have their IDs by")
        .choices(["node", "pod"])
        .default("node"),
    )
    .option("--node-label <key>", "node label that becomes a selector; may be repeated", collect)
    .option("--pod-label <key>", "pod label that becomes a selector; may be repeated", collect)
    .option("--no-check", "add it although its API server cannot be asked now")
    .addHelpText(
      "after",
      "\nExample:\n  assay cluster add east --kubeconfig east.kubeconfig --service-account assay-system:assay-agent",
    )
    .action((name: string, options: AddOptions) =>
      runWithServer(io, options, async (session) => {
        const request = await readRequest(name, options);
        const { cluster } = await session.client(Admin).addCluster(request, session.call);
        session.io.writeError(`added ${name}\n`);
        if (cluster !== undefined) session.printOne(rowOf(cluster));
      }),
    );

  withServerOptions(cluster.command("list"))
    .description("List the clusters, and whether the server sees what happens in them.")
    .addHelpText("after", "\nExample:\n  assay cluster list")
    .action((options: ServerOptions) =>
      runWithServer(io, options, async (session) => {
        const { clusters } = await session.client(Admin).listClusters({}, session.call);
        session.printRows(clusters.map(rowOf), columns);
      }),
    );

  withServerOptions(cluster.command("remove"))
    .description("Remove a cluster that was added. Its agents stay until their SVIDs end.")
    .argument("<name>", "the cluster's name")
    .addHelpText("after", "\nExample:\n  assay cluster remove east")
    .action((name: string, options: ServerOptions) =>
      runWithServer(io, options, async (session) => {
        await session.client(Admin).removeCluster({ name }, session.call);
        session.io.writeError(`removed ${name}\n`);
      }),
    );
}

async function readRequest(name: string, options: AddOptions) {
  const { server, tls, token } = await readAccess(options);
  return {
    cluster: {
      name,
      serviceAccounts: options.serviceAccount,
      audiences: options.audience ?? [],
      agentIdBy: options.agentIdBy,
      nodeLabels: options.nodeLabel ?? [],
      podLabels: options.podLabel ?? [],
    },
    access: {
      server,
      caCertificates: tls.ca ?? "",
      tlsServerName: tls.servername ?? "",
      token: token ?? "",
      clientCertificate: tls.cert ?? "",
      clientKey: tls.key ?? "",
    },
    unchecked: !options.check,
  };
}

async function readAccess({ kubeconfig, context }: AddOptions) {
  // Loaded when asked for: it brings a whole Kubernetes client.
  const { readKubeconfig } = await import("../k8s/kubeconfig.ts");
  try {
    return await readKubeconfig(kubeconfig, context);
  } catch (err) {
    throw new CliError(`--kubeconfig: ${describeError(err)}`, { exitCode: ExitCode.usage });
  }
}

function rowOf(cluster: Cluster): Row {
  return {
    name: cluster.name,
    origin: cluster.origin,
    uid: cluster.uid,
    current: cluster.current,
    nodes: cluster.nodes,
    pods: cluster.pods,
    heard_at: cluster.heardAtMs === 0n ? undefined : new Date(Number(cluster.heardAtMs)),
    service_accounts: cluster.serviceAccounts,
    audiences: cluster.audiences,
    agent_id_by: cluster.agentIdBy,
    node_labels: cluster.nodeLabels,
    pod_labels: cluster.podLabels,
  };
}
