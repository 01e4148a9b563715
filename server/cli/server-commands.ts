/** `assay server healthcheck|backup|reload|info`: the running server itself. */
import { resolve } from "node:path";
import type { Command } from "commander";
import { Admin } from "../../proto/gen/assay/admin/v1/admin_pb.ts";
import {
  Health,
  HealthCheckResponse_ServingStatus,
} from "../../proto/gen/grpc/health/v1/health_pb.ts";
import { Debug } from "../../proto/gen/spire/api/server/debug/v1/debug_pb.ts";
import type { CliIo } from "../../runtime/cli/cli-io.ts";
import { CliError, ExitCode } from "../../runtime/cli/exit-code.ts";
import { runWithServer, type ServerOptions, withServerOptions } from "./server-cli.ts";

export function addServerAdminCommands(server: Command, io: CliIo): void {
  withServerOptions(server.command("healthcheck"))
    .description("Ask the server whether it can serve. Exit code 5 means no.")
    .addHelpText("after", "\nExample:\n  assay server healthcheck --timeout 3")
    .action((options: ServerOptions) =>
      runWithServer(io, options, async (session) => {
        const { status } = await session.client(Health).check({}, session.call);
        if (status !== HealthCheckResponse_ServingStatus.SERVING) {
          throw new CliError("server is not serving", { exitCode: ExitCode.unavailable });
        }
        io.writeError("server is serving\n");
      }),
    );

  withServerOptions(server.command("info"))
    .description("Show what the server holds.")
    .addHelpText("after", "\nExample:\n  assay server info")
    .action((options: ServerOptions) =>
      runWithServer(io, options, async (session) => {
        const info = await session.client(Debug).getInfo({}, session.call);
        session.printOne({
          uptime_seconds: info.uptime,
          agents: info.agentsCount,
          entries: info.entriesCount,
          federated_bundles: info.federatedBundlesCount,
        });
      }),
    );

  withServerOptions(server.command("backup"))
    .description("Write a consistent copy of the store while the server runs.")
    .argument("<file>", "a path on the server's machine; it must not exist")
    .addHelpText("after", "\nExample:\n  assay server backup /var/backups/assay.sqlite")
    .action((file: string, options: ServerOptions) =>
      runWithServer(io, options, async (session) => {
        const path = resolve(file);
        const { bytes, revision } = await session.client(Admin).backup({ path }, session.call);
        session.printOne({ path, bytes, revision });
      }),
    );

  withServerOptions(server.command("reload"))
    .description("Apply the settings of the configuration file that may change while running.")
    .option("--dry-run", "only tell what would change")
    .addHelpText("after", "\nExample:\n  assay server reload --dry-run")
    .action((options: ServerOptions & { dryRun?: boolean }) =>
      runWithServer(io, options, async (session) => {
        const dryRun = options.dryRun ?? false;
        const { applied, needsRestart } = await session
          .client(Admin)
          .reload({ dryRun }, session.call);
        const row = (each: { path: string; before: string; after: string }, effect: string) => ({
          path: each.path,
          before: each.before,
          after: each.after,
          effect,
        });
        session.printRows(
          [
            ...applied.map((each) => row(each, dryRun ? "would apply" : "applied")),
            ...needsRestart.map((each) => row(each, "needs a restart")),
          ],
          ["path", "before", "after", "effect"],
        );
        if (needsRestart.length > 0) {
          throw new CliError("some settings change only with a restart; they were not applied", {
            exitCode: ExitCode.conflict,
          });
        }
      }),
    );
}
