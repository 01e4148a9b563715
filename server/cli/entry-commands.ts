/** `assay entry create|update|show|list|delete|count`: registration entries. */
import type { Command } from "commander";
import { Admin } from "../../proto/gen/assay/admin/v1/admin_pb.ts";
import type { CliIo } from "../../runtime/cli/cli-io.ts";
import { CliError, ExitCode, usageError } from "../../runtime/cli/exit-code.ts";
import type { Clock } from "../../runtime/time/clock.ts";
import { changeEntries, inBatches, readEntries } from "./entry-changes.ts";
import { countEntries, listEntries } from "./entry-listing.ts";
import {
  type ChangeOptions,
  type FilterOptions,
  withChangeOptions,
  withFilters,
} from "./entry-options.ts";
import { entryColumns, entryRow } from "./entry-row.ts";
import { runWithServer, type ServerOptions, withServerOptions } from "./server-cli.ts";

export function addEntryCommands(program: Command, io: CliIo, clock: Clock): void {
  const entry = program
    .command("entry")
    .description("Registration entries: which workload gets which identity.");

  withChangeOptions(withServerOptions(entry.command("create")))
    .description("Create entries.")
    .addHelpText(
      "after",
      "\nExample:\n  assay entry create --spiffe-id spiffe://example.org/web --parent-id spiffe://example.org/spire/agent/x509pop/1f0c \\\n    --selector unix:uid:1000 --owner team-web --wait",
    )
    .action((options: ChangeOptions) =>
      runWithServer(io, options, (session) => changeEntries(session, options, "batchCreateEntry")),
    );

  withChangeOptions(withServerOptions(entry.command("update")).argument("[id]", "the entry's ID"))
    .description("Change entries: only what is given.")
    .addHelpText("after", "\nExample:\n  assay entry update 6f1e0b3a-... --x509-svid-ttl 30m")
    .action((id: string | undefined, options: ChangeOptions) =>
      runWithServer(io, options, (session) =>
        changeEntries(session, options, "batchUpdateEntry", id),
      ),
    );

  withServerOptions(entry.command("show"))
    .description("Show entries by ID.")
    .argument("<id...>")
    .addHelpText("after", "\nExample:\n  assay entry show 6f1e0b3a-... --output yaml")
    .action((ids: string[], options: ServerOptions) =>
      runWithServer(io, options, async (session) => {
        const { entries } = await session.client(Admin).listEntries({ ids }, session.call);
        if (ids.length > 1) session.printRows(entries.map(entryRow), entryColumns);
        else if (entries[0]) session.printOne(entryRow(entries[0]));
        const missing = ids.filter((id) => !entries.some((each) => each.entry?.id === id));
        if (missing.length > 0) {
          throw new CliError(`no such entry: ${missing.join(", ")}`, {
            exitCode: ExitCode.notFound,
          });
        }
      }),
    );

  withFilters(withServerOptions(entry.command("list")))
    .description("List entries.")
    .addHelpText("after", "\nExample:\n  assay entry list --unused 30d --output json")
    .action((options: FilterOptions) =>
      runWithServer(io, options, async (session) => {
        const rows = await Array.fromAsync(listEntries(session, options, clock), entryRow);
        session.printRows(rows, entryColumns);
      }),
    );

  withFilters(withServerOptions(entry.command("count")))
    .description("Count entries.")
    .addHelpText("after", "\nExample:\n  assay entry count --downstream")
    .action((options: FilterOptions) =>
      runWithServer(io, options, async (session) => {
        session.printOne({ count: await countEntries(session, options, clock) });
      }),
    );

  withServerOptions(entry.command("delete"))
    .description("Delete entries; their identities leave the workloads at once.")
    .argument("[id...]")
    .option("--file <path>", "delete the entries of this file by their IDs; - is standard input")
    .option("--dry-run", "check everything and change nothing")
    .option("--wait", "wait until every connected agent has applied the change")
    .addHelpText("after", "\nExample:\n  assay entry delete 6f1e0b3a-... --wait")
    .action((ids: string[], options: ChangeOptions) =>
      runWithServer(io, options, async (session) => {
        const inputs = options.file === undefined ? [] : await readEntries(io, options.file);
        const all = [...ids, ...inputs.map((input) => input.id ?? "")];
        if (all.length === 0 || all.includes("")) {
          throw usageError("expected the ID of each entry to delete");
        }
        await inBatches(session, all, options, async (batch) => {
          const dryRun = options.dryRun ?? false;
          return session.client(Admin).batchDeleteEntry({ ids: batch, dryRun }, session.call);
        });
      }),
    );
}
