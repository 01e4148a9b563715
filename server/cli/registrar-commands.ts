/** `assay registrar run|plan|status|confirm`: entries from custom resources of Kubernetes clusters. */

import type { Command } from "commander";
import { Admin, type RegistrarReport } from "../../proto/gen/assay/admin/v1/admin_pb.ts";
import type { CliIo } from "../../runtime/cli/cli-io.ts";
import type { Row } from "../../runtime/cli/output.ts";
import { addRegistrarPlanCommand } from "./registrar-plan-command.ts";
import { runWithServer, type ServerOptions, withServerOptions } from "./server-cli.ts";

const columns = [
  "cluster",
  "instance",
  "current",
  "pods",
  "entries",
  "pending",
  "failing",
  "holds",
];

export function addRegistrarCommands(program: Command, io: CliIo): void {
  const registrar = program.command("registrar").description("Entries from custom resources.");

  registrar
    .command("run")
    .description("Run the registrar of one cluster as a process of its own.")
    .option("--config <file>", "configuration file", "/etc/assay/registrar.yaml")
    .addHelpText("after", "\nExample:\n  assay registrar run --config registrar.yaml")
    .action(async ({ config }: { config: string }) => {
      const { runRegistrarProcess } = await import("./registrar-process.ts");
      await runRegistrarProcess({ configPath: config, env: io.env, signal: io.signal });
    });

  addRegistrarPlanCommand(registrar, io);

  withServerOptions(registrar.command("status"))
    .description("Show how the registrars are doing, and what they hold back.")
    .addHelpText("after", "\nExample:\n  assay registrar status")
    .action((options: ServerOptions) =>
      runWithServer(io, options, async (session) => {
        const { registrars } = await session.client(Admin).listRegistrars({}, session.call);
        session.printRows(registrars.map(rowOf), columns);
      }),
    );

  withServerOptions(registrar.command("confirm"))
    .description("Let the registrar of a cluster do what it holds back, because it is right.")
    .argument("<cluster>", "the cluster's name")
    .option("--hold <id>", "only this one, by its ID")
    .addHelpText("after", "\nExample:\n  assay registrar status\n  assay registrar confirm east")
    .action((cluster: string, options: ServerOptions & { hold?: string }) =>
      runWithServer(io, options, async (session) => {
        const holdIds = options.hold === undefined ? [] : [options.hold];
        const { confirmed } = await session
          .client(Admin)
          .confirmRegistrar({ cluster, holdIds }, session.call);
        for (const { message } of confirmed) session.io.writeError(`confirmed: ${message}\n`);
      }),
    );
}

function rowOf(report: RegistrarReport): Row {
  return {
    cluster: report.cluster,
    instance: report.instance,
    cluster_uid: report.clusterUid,
    current: report.current,
    pods: report.pods,
    resources: report.resources,
    entries: report.entries,
    pending: report.pending,
    failing: report.failing,
    holds: report.holds.map(({ id, message }) => `${id}: ${message}`),
    reported_at: new Date(Number(report.reportedAtMs)),
  };
}
