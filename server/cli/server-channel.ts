/** Channels to a server: its admin socket, or its network address with an X509-SVID of the caller's. */
import type { DescService } from "@bufbuild/protobuf";
import type { CliIo } from "../../runtime/cli/cli-io.ts";
import { CliError, ExitCode } from "../../runtime/cli/exit-code.ts";
import { openChannel } from "../../runtime/rpc/channel.ts";
import { type Client, createClient } from "../../runtime/rpc/client.ts";

export type ServerAddress =
  | { readonly kind: "socket"; readonly path: string }
  /** "host:port" */
  | { readonly kind: "network"; readonly address: string };

/** An open channel and what has to be closed with it. */
export interface ServiceChannel extends AsyncDisposable {
  client<S extends DescService>(service: S): Client<S>;
}

export async function openServerChannel(
  address: ServerAddress,
  io: CliIo,
): Promise<ServiceChannel> {
  return address.kind === "socket"
    ? openSocketChannel(address.path)
    : openNetworkChannel(address.address, io);
}

/** A channel to a Unix socket: the kernel tells the other side who is calling. */
export function openSocketChannel(path: string): ServiceChannel {
  const channel = openChannel({ target: `unix:${path}` });
  return {
    client: (service) => createClient(service, channel),
    [Symbol.asyncDispose]: async () => channel.close(),
  };
}

/**
 * A channel over TLS. The caller's identity comes from the Workload API, and the server must show the
 * trust domain's server ID.
 */
async function openNetworkChannel(address: string, io: CliIo): Promise<ServiceChannel> {
  const endpoint = io.env["SPIFFE_ENDPOINT_SOCKET"];
  if (!endpoint) {
    throw new CliError("--server needs an identity, and SPIFFE_ENDPOINT_SOCKET is not set", {
      exitCode: ExitCode.usage,
      hint: "point SPIFFE_ENDPOINT_SOCKET at this node's Workload API, or use --socket",
    });
  }
  // Loaded when asked for: most commands use the socket.
  const { openIdentifiedChannel } = await import("./identified-channel.ts");
  return openIdentifiedChannel(address, endpoint, io.signal);
}
