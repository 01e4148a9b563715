import { readFile } from "node:fs/promises";
import type { Command } from "commander";
import { parseAllDocuments } from "yaml";
import { Admin } from "../../proto/gen/assay/admin/v1/admin_pb.ts";
import { Bundle } from "../../proto/gen/spire/api/server/bundle/v1/bundle_pb.ts";
import type { CliIo } from "../../runtime/cli/cli-io.ts";
import { CliError, ExitCode } from "../../runtime/cli/exit-code.ts";
import { collect } from "../../runtime/cli/options.ts";
import type { Row } from "../../runtime/cli/output.ts";
import { describeError } from "../../runtime/errors/describe.ts";
import { type RegistrarSettings, registrarSettingsSchema } from "../config/registrar-settings.ts";
import { ClusterIndex } from "../registrar/cluster-index.ts";
import { type ActualEntry, ENTRY_LABELS } from "../registrar/desired-entry.ts";
import { adminEntryApi } from "../registrar/entry-api.ts";
import { putObjects } from "../registrar/file-objects.ts";
import { type PlannedChange, planChanges } from "../registrar/plan.ts";
import { type RegistrarRules, registrarGrants } from "../registrar/registrar-rules.ts";
import {
  runWithServer,
  type ServerOptions,
  type ServerSession,
  withServerOptions,
} from "./server-cli.ts";

interface PlanOptions extends ServerOptions {
  readonly cluster: string;
  readonly file?: string[];
  readonly kubeconfig?: string;
  readonly context?: string;
  readonly config?: string;
  readonly all?: boolean;
}

const columns = ["action", "spiffe_id", "pod", "resource", "why", "rests_on"];

/** Adds `assay registrar plan`. */
export function addRegistrarPlanCommand(registrar: Command, io: CliIo): void {
  withServerOptions(registrar.command("plan"))
    .description(
      "Show what the registrar would create, change and delete, and why. Changes nothing.",
    )
    .requiredOption("--cluster <name>", "the cluster's name at the server")
    .option(
      "-f, --file <file>",
      "objects of the cluster and resources to try, YAML or JSON; may be repeated",
      collect,
    )
    .option("--kubeconfig <file>", "read the cluster as it is; what files say is laid over it")
    .option("--context <name>", "context of the kubeconfig; its current one without it")
    .option("--config <file>", "the server's configuration, for its settings of this registrar")
    .option("--all", "show what stays as it is too")
    .addHelpText(
      "after",
      "\nExamples:\n  assay registrar plan --cluster east --kubeconfig ~/.kube/config -f new-rule.yaml\n" +
        "  kubectl get pods,nodes,namespaces -A -o json > state.json\n  assay registrar plan --cluster east -f state.json -f new-rule.yaml",
    )
    .action((options: PlanOptions) =>
      runWithServer(io, options, async (session) => {
        const own = await ownEntries(options, session);
        const rules = await rulesOf(options, session, own);
        const index = new ClusterIndex(rules);
        if (options.kubeconfig !== undefined) await readCluster(options, rules, index, io);
        for (const path of options.file ?? []) await readObjects(path, rules, index);
        index.knowServices();
        const changes = planChanges(index, own, rules);
        const isShown = ({ action }: PlannedChange): boolean =>
          options.all === true || (action !== "keep" && action !== "nothing");
        session.printRows(changes.filter(isShown).map(rowOf), columns);
      }),
    );
}

async function ownEntries(
  { cluster }: PlanOptions,
  session: ServerSession,
): Promise<readonly ActualEntry[]> {
  const pages = adminEntryApi(session.client(Admin), cluster).listOwn(session.call.signal);
  return (await Array.fromAsync(pages)).flat();
}

async function rulesOf(
  options: PlanOptions,
  session: ServerSession,
  [first]: readonly ActualEntry[],
): Promise<RegistrarRules> {
  const { trustDomain } = await session.client(Bundle).getBundle({}, session.call);
  const settings = await settingsOf(options);
  return {
    trustDomain,
    clusterName: options.cluster,
    clusterDomain: settings.clusterDomain,
    // Which cluster it really is does not matter here, so it must make no difference.
    clusterUid: first?.labels[ENTRY_LABELS.clusterUid] ?? "",
    grants: registrarGrants(options.cluster, settings),
    ignoredNamespaces: new Set(settings.ignoreNamespaces),
    defaultX509SvidTtlSeconds: Math.floor(settings.defaultX509SvidTtl / 1000),
    defaultJwtSvidTtlSeconds: Math.floor(settings.defaultJwtSvidTtl / 1000),
  };
}

async function settingsOf({ config, cluster }: PlanOptions): Promise<RegistrarSettings> {
  if (config === undefined) return registrarSettingsSchema.parse({});
  const { loadServerConfig } = await import("../config/server-config.ts");
  const settings = (await loadServerConfig(config)).registrar.clusters[cluster];
  if (settings !== undefined) return settings;
  throw new CliError(`${config}: there is no registrar of cluster ${cluster}`, {
    exitCode: ExitCode.usage,
  });
}

async function readCluster(
  options: PlanOptions,
  rules: RegistrarRules,
  index: ClusterIndex,
  io: CliIo,
): Promise<void> {
  // Loaded when asked for: it brings a whole Kubernetes client.
  const { listCluster } = await import("./list-cluster.ts");
  const { kubeconfig = "", context } = options;
  putObjects(index, await listCluster(kubeconfig, context, io.signal), rules.trustDomain);
}

async function readObjects(
  path: string,
  rules: RegistrarRules,
  index: ClusterIndex,
): Promise<void> {
  try {
    const documents = parseAllDocuments(await readFile(path, "utf8"), { merge: false });
    const objects = documents.map((document) => {
      const [problem] = document.errors;
      if (problem !== undefined) throw problem;
      return document.toJS({ maxAliasCount: 100 });
    });
    putObjects(index, objects, rules.trustDomain);
  } catch (err) {
    throw new CliError(`${path}: ${describeError(err)}`, { exitCode: ExitCode.usage });
  }
}

function rowOf({ action, spiffeId, pod, resource, why, restsOn }: PlannedChange): Row {
  return { action, spiffe_id: spiffeId, pod, resource, why, rests_on: restsOn };
}
