import { type ConnectionOptions, connect, rootCertificates, type TLSSocket } from "node:tls";
import type { BundleSource } from "../../spiffe/bundle/bundle.ts";
import { SpiffeError } from "../../spiffe/error.ts";
import { matchId } from "../../spiffe/id/matcher.ts";
import { SpiffeId } from "../../spiffe/id/spiffe-id.ts";
import { verifyPeer } from "../../spiffe/tls/peer-id.ts";
import type { BundleEndpointRecord } from "../store/records.ts";
import { FetchError } from "./fetch-error.ts";

/** An endpoint that is fetched from. */
export type FetchedEndpoint = Exclude<BundleEndpointRecord, { readonly profile: "none" }>;

/** What the certificates of endpoints are judged by. */
export interface EndpointTrust {
  /** Authorities of https_web endpoints in PEM; those that Node ships unless given. */
  readonly webAuthorities?: readonly string[] | undefined;
  /** The latest bundle of the trust domain that an https_spiffe endpoint belongs to. */
  readonly bundles: BundleSource;
  readonly now: () => Date;
}

/**
 * Connects to an endpoint and authenticates it by its profile, and by no other (Federation 5.2.1.4, 5.2.2.4): a certificate of the
 * Web for the host of the URL, or an X509-SVID of exactly the configured ID, where the host plays no part. Nothing has been sent yet.
 *
 * @throws {FetchError} endpoint_unreachable, endpoint_untrusted, endpoint_bundle_unknown; the signal's reason when it aborts
 */
export async function connectToEndpoint(
  url: URL,
  endpoint: FetchedEndpoint,
  trust: EndpointTrust,
  signal: AbortSignal,
): Promise<TLSSocket> {
  const host = url.hostname.replace(/^\[|\]$/g, "");
  const target = { host, port: Number(url.port || 443), minVersion: "TLSv1.2" } as const;
  if (endpoint.profile === "https_web") {
    const ca = [...(trust.webAuthorities ?? rootCertificates)];
    // An IP address is not a name that a server may be asked for.
    const servername = /^[\d.]+$|:/.test(host) ? "" : host;
    return await open({ ...target, servername, ca, rejectUnauthorized: true }, signal);
  }
  const id = SpiffeId.parse(endpoint.endpointId);
  if (trust.bundles.bundleFor(id.trustDomain) === undefined) {
    const message = `there is no bundle of ${id.trustDomain} to authenticate the endpoint by`;
    throw new FetchError("endpoint_bundle_unknown", message);
  }
  const socket = await open({ ...target, rejectUnauthorized: false }, signal);
  try {
    const { bundles, now } = trust;
    verifyPeer(socket, { bundles, authorize: matchId(id), now });
    return socket;
  } catch (cause) {
    socket.destroy();
    if (!(cause instanceof SpiffeError)) throw cause;
    throw new FetchError("endpoint_untrusted", `endpoint is not ${id}: ${cause.message}`, {
      cause,
    });
  }
}

/** Codes of errors by which Node and OpenSSL refuse a certificate or a handshake. */
const OF_TLS =
  /^(ERR_TLS|ERR_SSL|EPROTO|CERT_|UNABLE_TO|DEPTH_ZERO|SELF_SIGNED|HOSTNAME_|INVALID_CA)/;

function open(options: ConnectionOptions, signal: AbortSignal): Promise<TLSSocket> {
  return new Promise((resolve, reject) => {
    const socket = connect(options);
    const abort = (): void => fail(signal.reason);
    const fail = (reason: unknown): void => {
      signal.removeEventListener("abort", abort);
      // What fails from now on is of no interest, and must not end the process.
      socket.off("error", failed).on("error", () => {});
      socket.destroy();
      reject(reason);
    };
    const failed = (cause: Error & { readonly code?: string }): void => {
      const code = OF_TLS.test(cause.code ?? "") ? "endpoint_untrusted" : "endpoint_unreachable";
      fail(new FetchError(code, `cannot connect to the endpoint: ${cause.message}`, { cause }));
    };
    socket.once("error", failed);
    socket.once("secureConnect", () => {
      signal.removeEventListener("abort", abort);
      socket.off("error", failed);
      resolve(socket);
    });
    if (signal.aborted) abort();
    else signal.addEventListener("abort", abort);
  });
}
