/** `assay wit fetch|validate`: WIT-SVIDs through the Workload API (experimental). */

import type { Command } from "commander";
import type { CliIo } from "../../runtime/cli/cli-io.ts";
import { CliError, usageError } from "../../runtime/cli/exit-code.ts";
import { formatOne, formatRows } from "../../runtime/cli/output.ts";
import type { Clock } from "../../runtime/time/clock.ts";
import { SpiffeError } from "../../spiffe/error.ts";
import { verifyWitSvid } from "../../spiffe/svid/wit-svid.ts";
import { readWitBundles } from "../../spiffe/workloadapi/wit-messages.ts";
import {
  firstMessage,
  runWithWorkloadApi,
  type WorkloadOptions,
  withWorkloadOptions,
} from "./workload-client.ts";

interface FetchOptions extends WorkloadOptions {
  readonly spiffeId?: string;
}

interface ValidateOptions extends WorkloadOptions {
  readonly svid: string;
}

export function addWitWorkloadCommands(wit: Command, io: CliIo, clock: Clock): void {
  withWorkloadOptions(wit.command("fetch"))
    .description("Fetch a WIT-SVID and its key for the calling process (experimental).")
    .option("--spiffe-id <id>", "for this identity only")
    .addHelpText("after", "\nExample:\n  assay wit fetch --output json")
    .action((options: FetchOptions) =>
      runWithWorkloadApi(io, options, async ({ client, call }) => {
        const request = { spiffeId: options.spiffeId ?? "" };
        const { svids } = await firstMessage(client.fetchWITSVID(request, call));
        const rows = svids.map(({ spiffeId, witSvid, witSvidKey, hint }) => ({
          spiffe_id: spiffeId,
          token: witSvid,
          key_jwk: witSvidKey,
          hint,
        }));
        io.write(formatRows(rows, ["spiffe_id", "token"], options.output));
      }),
    );

  withWorkloadOptions(wit.command("validate"))
    .description(
      "Validate a WIT-SVID as the calling process would, without its proof (experimental).",
    )
    .option(
      "--svid <token>",
      "the token; - reads standard input, which keeps it out of the process list",
      "-",
    )
    .addHelpText("after", "\nExample:\n  assay wit validate < token")
    .action((options: ValidateOptions) =>
      runWithWorkloadApi(io, options, async ({ client, call }) => {
        const token = options.svid === "-" ? (await io.readInput()).trim() : options.svid;
        if (token === "") throw usageError("expected a token");
        const message = await firstMessage(client.fetchWITBundles({}, call));
        try {
          const svid = await verifyWitSvid(token, readWitBundles(message), clock.now());
          io.write(
            formatOne(
              {
                spiffe_id: svid.id.toString(),
                expires_at: svid.expiresAt,
                key_algorithm: svid.confirmationAlgorithm,
                claims: JSON.stringify(svid.claims),
              },
              options.output,
            ),
          );
        } catch (err) {
          if (!(err instanceof SpiffeError)) throw err;
          throw new CliError(`svid is not valid: ${err.message} (${err.code})`);
        }
      }),
    );
}
