import type { Channel } from "@grpc/grpc-js";
import {
  type FetchFederatedBundlesResponse,
  WorkloadFederation,
} from "../../proto/gen/assay/workload/v1/federation_pb.ts";
import {
  type JWTBundlesResponse,
  type JWTSVIDResponse,
  SpiffeWorkloadAPI,
  type ValidateJWTSVIDResponse,
  type WITBundlesResponse,
  type WITSVIDResponse,
  type X509BundlesResponse,
  type X509SVIDResponse,
} from "../../proto/gen/spiffe/workload/workload_pb.ts";
import { openChannel } from "../../runtime/rpc/channel.ts";
import { type Client, createClient } from "../../runtime/rpc/client.ts";
import type { SpiffeId } from "../id/spiffe-id.ts";
import { type EndpointAddress, resolveEndpointAddress } from "./endpoint.ts";

/** The security header (Workload Endpoint 3): a request without it is refused. */
const metadata = { "workload.spiffe.io": "true" } as const;

// Many federated bundles make large messages; gRPC's own default is 4 MiB.
const MAX_MESSAGE_BYTES = 64 * 1024 * 1024;
const CALL_TIMEOUT_MS = 30_000;

/**
 * The calls of the SPIFFE Workload API as they are on the wire: nothing in an answer has been checked. The sources build on
 * it; programs use the sources.
 */
export class WorkloadApiClient implements Disposable {
  readonly #channel: Channel;
  readonly #client: Client<typeof SpiffeWorkloadAPI>;
  readonly #federation: Client<typeof WorkloadFederation>;

  /**
   * Opens a client; it connects at the first call.
   *
   * @param address for example "unix:///run/assay/agent/api.sock"
   * @param environmentValue the value of SPIFFE_ENDPOINT_SOCKET, used when no address is given
   * @throws {SpiffeError} "endpoint_not_configured" | "endpoint_address"
   */
  constructor(address?: string, environmentValue?: string) {
    this.#channel = openChannel({
      target: targetOf(resolveEndpointAddress(address, environmentValue)),
      maxReceiveBytes: MAX_MESSAGE_BYTES,
    });
    this.#client = createClient(SpiffeWorkloadAPI, this.#channel);
    this.#federation = createClient(WorkloadFederation, this.#channel);
  }

  [Symbol.dispose](): void {
    this.#channel.close();
  }

  /** One message now and one at each change, each the full state. */
  x509Svids(signal: AbortSignal): AsyncIterable<X509SVIDResponse> {
    return this.#client.fetchX509SVID({}, { signal, metadata });
  }

  /** As {@link x509Svids}, for the bundles alone. */
  x509Bundles(signal: AbortSignal): AsyncIterable<X509BundlesResponse> {
    return this.#client.fetchX509Bundles({}, { signal, metadata });
  }

  /** As {@link x509Svids}, for the JWT authorities. */
  jwtBundles(signal: AbortSignal): AsyncIterable<JWTBundlesResponse> {
    return this.#client.fetchJWTBundles({}, { signal, metadata });
  }

  /**
   * Foreign bundles with the limits that go with them, as {@link x509Svids}. Agents that know of no limits answer UNIMPLEMENTED.
   */
  federatedBundles(signal: AbortSignal): AsyncIterable<FetchFederatedBundlesResponse> {
    return this.#federation.fetchFederatedBundles({}, { signal, metadata });
  }

  /** As {@link x509Svids}, for the WIT-SVIDs. @param subject which identity; every one of the workload's unless given */
  witSvids(subject: SpiffeId | undefined, signal: AbortSignal): AsyncIterable<WITSVIDResponse> {
    return this.#client.fetchWITSVID({ spiffeId: subject?.toString() ?? "" }, { signal, metadata });
  }

  /** As {@link x509Svids}, for the WIT authorities. */
  witBundles(signal: AbortSignal): AsyncIterable<WITBundlesResponse> {
    return this.#client.fetchWITBundles({}, { signal, metadata });
  }

  /** @param subject which identity; every one of the workload's unless given */
  jwtSvids(
    audience: readonly string[],
    subject: SpiffeId | undefined,
    signal: AbortSignal,
  ): Promise<JWTSVIDResponse> {
    return this.#client.fetchJWTSVID(
      { audience: [...audience], spiffeId: subject?.toString() ?? "" },
      { signal, metadata, timeoutMs: CALL_TIMEOUT_MS },
    );
  }

  validateJwtSvid(
    token: string,
    audience: string,
    signal: AbortSignal,
  ): Promise<ValidateJWTSVIDResponse> {
    return this.#client.validateJWTSVID(
      { svid: token, audience },
      { signal, metadata, timeoutMs: CALL_TIMEOUT_MS },
    );
  }
}

/** The address in the form that gRPC dials. */
export function targetOf(address: EndpointAddress): string {
  if (address.kind === "unix") return `unix:${address.path}`;
  const host = address.host.includes(":") ? `[${address.host}]` : address.host;
  return `${host}:${address.port}`;
}
