/** `assay audit list|who|verify`: the record of what was issued, refused and changed. */
import type { Command } from "commander";
import { Admin } from "../../proto/gen/assay/admin/v1/admin_pb.ts";
import type { CliIo } from "../../runtime/cli/cli-io.ts";
import { CliError, ExitCode } from "../../runtime/cli/exit-code.ts";
import {
  runWithServer,
  type ServerOptions,
  type ServerSession,
  withServerOptions,
} from "./server-cli.ts";
import { parseTimeOption } from "./wire-text.ts";

interface ListOptions extends ServerOptions {
  readonly since?: string;
  readonly spiffeId?: string;
  readonly action?: string;
  readonly limit: string;
}

export function addAuditCommands(program: Command, io: CliIo): void {
  const audit = program.command("audit").description("The audit log.");

  withServerOptions(audit.command("list"))
    .description("Print audit records as JSON lines, oldest first.")
    .option("--since <time>", "only records since this time, RFC 3339")
    .option("--spiffe-id <id>", "only records about this identity")
    .option("--action <action>", "only records of this action, for example svid.issue")
    .option("--limit <count>", "the newest that many", "1000")
    .addHelpText("after", "\nExample:\n  assay audit list --since 2027-01-31 --action entry.delete")
    .action((options: ListOptions) =>
      runWithServer(io, options, async (session) => {
        const sinceMs =
          options.since === undefined
            ? 0n
            : BigInt(parseTimeOption("--since", options.since).getTime());
        await printRecords(session, {
          sinceMs,
          spiffeId: options.spiffeId ?? "",
          action: options.action ?? "",
          limit: Number(options.limit) || 1000,
        });
      }),
    );

  withServerOptions(audit.command("who"))
    .description("Tell who holds a credential: every record about a serial number or jti.")
    .argument("<serial>", "serial number in hexadecimal, or a JWT's jti")
    .addHelpText("after", "\nExample:\n  assay audit who 5f1c22...")
    .action((credential: string, options: ServerOptions) =>
      runWithServer(io, options, async (session) => {
        const found = await printRecords(session, { credential });
        if (found === 0) {
          throw new CliError("no record of that credential", { exitCode: ExitCode.notFound });
        }
      }),
    );

  withServerOptions(audit.command("verify"))
    .description("Check that no record was changed or removed.")
    .option("--witness", "compare with what connected agents have witnessed")
    .addHelpText("after", "\nExample:\n  assay audit verify --witness")
    .action((options: ServerOptions & { witness?: boolean }) =>
      runWithServer(io, options, async (session) => {
        const witness = options.witness ?? false;
        const result = await session.client(Admin).verifyAudit({ witness }, session.call);
        session.printOne({
          intact: result.intact,
          records: result.records,
          first_seq: result.firstSeq,
          last_seq: result.lastSeq,
          witnesses: witness ? result.witnesses : undefined,
          findings: result.findings,
        });
        if (!result.intact) throw new CliError("the audit log is not intact");
      }),
    );
}

async function printRecords(
  session: ServerSession,
  request: {
    sinceMs?: bigint;
    spiffeId?: string;
    action?: string;
    credential?: string;
    limit?: number;
  },
): Promise<number> {
  const decoder = new TextDecoder();
  let count = 0;
  for await (const { line } of session.client(Admin).listAudit(request, session.call)) {
    session.io.write(`${decoder.decode(line).trimEnd()}\n`);
    count += 1;
  }
  return count;
}
