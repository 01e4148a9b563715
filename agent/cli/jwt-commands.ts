/** `assay jwt fetch|validate`: JWT-SVIDs through the Workload API. */

import type { Command } from "commander";
import type { CliIo } from "../../runtime/cli/cli-io.ts";
import { usageError } from "../../runtime/cli/exit-code.ts";
import { collect } from "../../runtime/cli/options.ts";
import { formatOne, formatRows } from "../../runtime/cli/output.ts";
import {
  runWithWorkloadApi,
  type WorkloadOptions,
  withWorkloadOptions,
} from "./workload-client.ts";

interface FetchOptions extends WorkloadOptions {
  readonly audience: string[];
  readonly spiffeId?: string;
}

interface ValidateOptions extends WorkloadOptions {
  readonly audience: string;
  readonly svid: string;
}

export function addJwtWorkloadCommands(jwt: Command, io: CliIo): void {
  withWorkloadOptions(jwt.command("fetch"))
    .description("Fetch a JWT-SVID for the calling process.")
    .requiredOption("--audience <audience>", "who it is for; may be repeated", collect)
    .option("--spiffe-id <id>", "for this identity only")
    .addHelpText(
      "after",
      "\nExample:\n  assay jwt fetch --audience https://api.example.org --output json",
    )
    .action((options: FetchOptions) =>
      runWithWorkloadApi(io, options, async ({ client, call }) => {
        const request = { audience: options.audience, spiffeId: options.spiffeId ?? "" };
        const { svids } = await client.fetchJWTSVID(request, call);
        const rows = svids.map(({ spiffeId, svid, hint }) => ({
          spiffe_id: spiffeId,
          token: svid,
          hint,
        }));
        io.write(formatRows(rows, ["spiffe_id", "token"], options.output));
      }),
    );

  withWorkloadOptions(jwt.command("validate"))
    .description("Validate a JWT-SVID as the calling process would.")
    .requiredOption("--audience <audience>", "who it must be for")
    .option(
      "--svid <token>",
      "the token; - reads standard input, which keeps it out of the process list",
      "-",
    )
    .addHelpText(
      "after",
      "\nExample:\n  assay jwt validate --audience https://api.example.org < token",
    )
    .action((options: ValidateOptions) =>
      runWithWorkloadApi(io, options, async ({ client, call }) => {
        const svid = options.svid === "-" ? (await io.readInput()).trim() : options.svid;
        if (svid === "") throw usageError("expected a token");
        const { audience } = options;
        const { spiffeId, claims } = await client.validateJWTSVID({ audience, svid }, call);
        io.write(
          formatOne({ spiffe_id: spiffeId, claims: JSON.stringify(claims) }, options.output),
        );
      }),
    );
}
