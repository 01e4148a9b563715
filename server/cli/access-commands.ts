/** `assay access can`: whether somebody may do something, without doing it. */
import type { Command } from "commander";
import { Admin } from "../../proto/gen/assay/admin/v1/admin_pb.ts";
import type { CliIo } from "../../runtime/cli/cli-io.ts";
import { CliError, ExitCode } from "../../runtime/cli/exit-code.ts";
import { runWithServer, type ServerOptions, withServerOptions } from "./server-cli.ts";

export function addAccessCommands(program: Command, io: CliIo): void {
  const access = program.command("access").description("Who may do what.");
  withServerOptions(access.command("can"))
    .description("Tell whether a caller may do something. Exit code 4 means no.")
    .argument("<who>", '"uid:1000", a SPIFFE ID, "anonymous", or "me"')
    .argument("<verb>", "a method, for example entry.BatchCreateEntry")
    .argument("[what]", "the SPIFFE ID that it would be about")
    .addHelpText(
      "after",
      "\nExample:\n  assay access can uid:1000 entry.BatchCreateEntry spiffe://example.org/web",
    )
    .action((who: string, verb: string, what: string | undefined, options: ServerOptions) =>
      runWithServer(io, options, async (session) => {
        const answer = await session
          .client(Admin)
          .checkAccess({ who: who === "me" ? "" : who, verb, what: what ?? "" }, session.call);
        session.printOne({
          allowed: answer.allowed,
          reason_code: answer.reasonCode,
          explanation: answer.explanation,
          roles: answer.roles,
        });
        if (!answer.allowed) throw new CliError("not allowed", { exitCode: ExitCode.refused });
      }),
    );
}
