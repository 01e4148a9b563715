import { type Command, Option } from "commander";
import type { CliIo } from "../../../runtime/cli/cli-io.ts";
import { CliError, ExitCode, usageError } from "../../../runtime/cli/exit-code.ts";
import { SpiffeId } from "../../../spiffe/id/spiffe-id.ts";
import type { JwtSvid } from "../../../spiffe/svid/jwt-svid.ts";
import { WorkloadApiClient } from "../../../spiffe/workloadapi/client.ts";
import { readFetchedJwtSvid } from "../../../spiffe/workloadapi/messages.ts";

/** Options of commands that show a cloud a JWT-SVID of the calling process. */
export interface TokenOptions {
  readonly endpoint?: string;
  readonly spiffeId?: string;
}

export function withTokenOptions(command: Command): Command {
  return command
    .addOption(
      new Option(
        "--endpoint <address>",
        "the Workload API, for example unix:///run/assay/agent/api.sock",
      ).env("SPIFFE_ENDPOINT_SOCKET"),
    )
    .option("--spiffe-id <id>", "which identity; the default one unless given");
}

/** Fetches a JWT-SVID of the calling process. @throws {CliError} {StatusError} when there is none */
export async function fetchToken(
  io: CliIo,
  { endpoint, spiffeId }: TokenOptions,
  audience: string,
  now: Date,
): Promise<JwtSvid> {
  if (!endpoint) {
    throw new CliError("the Workload API's address is not known", {
      exitCode: ExitCode.usage,
      hint: "set SPIFFE_ENDPOINT_SOCKET or give --endpoint",
    });
  }
  using client = new WorkloadApiClient(endpoint);
  const subject = spiffeId === undefined ? undefined : parseId(spiffeId);
  const { svids } = await client.jwtSvids([audience], subject, io.signal);
  const [first] = svids;
  if (first === undefined) throw new CliError("the Workload API gave no token");
  return readFetchedJwtSvid(first, [audience], now);
}

function parseId(text: string): SpiffeId {
  try {
    return SpiffeId.parse(text);
  } catch (err) {
    throw usageError(`--spiffe-id: ${err instanceof Error ? err.message : "invalid"}`);
  }
}
