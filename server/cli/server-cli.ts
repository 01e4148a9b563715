/**
 * What every command that talks to a server shares: where the server is, how results are printed, and
 * how long to wait.
 */

import type { DescService } from "@bufbuild/protobuf";
import { type Command, Option } from "commander";
import type { CliIo } from "../../runtime/cli/cli-io.ts";
import { CliError, ExitCode } from "../../runtime/cli/exit-code.ts";
import { outputOption } from "../../runtime/cli/options.ts";
import { formatOne, formatRows, type OutputFormat, type Row } from "../../runtime/cli/output.ts";
import type { Client } from "../../runtime/rpc/client.ts";
import { openServerChannel, type ServerAddress } from "./server-channel.ts";

/** Options that every command of this kind has. */
export interface ServerOptions {
  readonly socket?: string;
  readonly server?: string;
  readonly timeout: string;
  readonly output: OutputFormat;
}

/** One run of a command: the connection and the printer. */
export interface ServerSession {
  readonly io: CliIo;
  client<S extends DescService>(service: S): Client<S>;
  /** Deadline and cancellation for one call. */
  readonly call: { readonly signal: AbortSignal; readonly timeoutMs: number };
  printRows(rows: readonly Row[], columns: readonly string[]): void;
  printOne(row: Row): void;
  readonly output: OutputFormat;
}

export const defaultServerSocket = "/run/assay/server/admin.sock";

/** Adds the shared options to a command. */
export function withServerOptions(command: Command): Command {
  return command
    .addOption(
      new Option("--socket <path>", "the server's admin socket")
        .env("ASSAY_SERVER_SOCKET")
        .conflicts("server"),
    )
    .addOption(
      new Option(
        "--server <host:port>",
        "the server's network address; the X509-SVID comes from SPIFFE_ENDPOINT_SOCKET",
      ).env("ASSAY_SERVER"),
    )
    .addOption(new Option("--timeout <seconds>", "how long to wait for an answer").default("30"))
    .addOption(outputOption());
}

/** Opens the connection, runs the command, and closes the connection. */
export async function runWithServer(
  io: CliIo,
  options: ServerOptions,
  action: (session: ServerSession) => Promise<void>,
): Promise<void> {
  const { output } = options;
  await using channel = await openServerChannel(addressOf(options), io);
  await action({
    io,
    output,
    client: (service) => channel.client(service),
    call: { signal: io.signal, timeoutMs: timeoutMsOf(options.timeout) },
    printRows: (rows, columns) => io.write(formatRows(rows, columns, output)),
    printOne: (row) => io.write(formatOne(row, output)),
  });
}

function addressOf({ socket, server }: ServerOptions): ServerAddress {
  return server === undefined
    ? { kind: "socket", path: socket ?? defaultServerSocket }
    : { kind: "network", address: server };
}

function timeoutMsOf(text: string): number {
  const seconds = Number(text);
  if (!(seconds > 0 && seconds <= 86_400)) {
    throw new CliError(`--timeout: expected seconds up to 86400, got ${JSON.stringify(text)}`, {
      exitCode: ExitCode.usage,
    });
  }
  return seconds * 1000;
}
