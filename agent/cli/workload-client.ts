/** The workload's side of the Workload API, for the commands that show what a workload would get. */

import { type Command, Option } from "commander";
import { SpiffeWorkloadAPI } from "../../proto/gen/spiffe/workload/workload_pb.ts";
import type { CliIo } from "../../runtime/cli/cli-io.ts";
import { CliError, ExitCode } from "../../runtime/cli/exit-code.ts";
import { outputOption } from "../../runtime/cli/options.ts";
import type { OutputFormat } from "../../runtime/cli/output.ts";
import { openChannel } from "../../runtime/rpc/channel.ts";
import { type Client, createClient, type UnaryOptions } from "../../runtime/rpc/client.ts";
import { targetOf } from "../../spiffe/workloadapi/client.ts";
import { parseEndpointAddress } from "../../spiffe/workloadapi/endpoint.ts";

export interface WorkloadOptions {
  readonly endpoint?: string;
  readonly timeout: string;
  readonly output: OutputFormat;
}

export interface WorkloadCalls {
  readonly client: Client<typeof SpiffeWorkloadAPI>;
  readonly call: UnaryOptions;
}

/** SPIFFE Workload Endpoint 3: every request carries it. */
const securityHeader = { "workload.spiffe.io": "true" };

/** Adds the options that every command of a workload has. */
export function withWorkloadOptions(command: Command): Command {
  return command
    .addOption(
      new Option(
        "--endpoint <address>",
        "the Workload API, for example unix:///run/assay/agent/api.sock",
      ).env("SPIFFE_ENDPOINT_SOCKET"),
    )
    .addOption(new Option("--timeout <seconds>", "how long to wait for an answer").default("5"))
    .addOption(outputOption());
}

/** Opens the connection, runs the command, and closes the connection. */
export async function runWithWorkloadApi(
  io: CliIo,
  options: WorkloadOptions,
  action: (calls: WorkloadCalls) => Promise<void>,
): Promise<void> {
  if (!options.endpoint) {
    throw new CliError("the Workload API's address is not known", {
      exitCode: ExitCode.usage,
      hint: "set SPIFFE_ENDPOINT_SOCKET or give --endpoint",
    });
  }
  const channel = openChannel({
    target: targetOf(parseEndpointAddress(options.endpoint)),
    maxReceiveBytes: 64 * 1024 * 1024,
  });
  try {
    await action({
      client: createClient(SpiffeWorkloadAPI, channel),
      call: {
        signal: io.signal,
        timeoutMs: Number(options.timeout) * 1000,
        metadata: securityHeader,
      },
    });
  } finally {
    channel.close();
  }
}

/** The first message of a stream. @throws {CliError} when it ends without one */
export async function firstMessage<T>(stream: AsyncIterable<T>): Promise<T> {
  for await (const message of stream) return message;
  throw new CliError("the Workload API ended without an answer", {
    exitCode: ExitCode.unavailable,
  });
}
