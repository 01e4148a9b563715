import { once } from "node:events";
import { type IncomingMessage, request } from "node:http";
import { VERSION } from "../../runtime/version.ts";
import type { Bundle } from "../../spiffe/bundle/bundle.ts";
import {
  type BundleDocumentOptions,
  parseBundleDocument,
} from "../../spiffe/bundle/bundle-document.ts";
import { MAX_BUNDLE_BYTES } from "../../spiffe/bundle/jwk-set.ts";
import { quote, SpiffeError } from "../../spiffe/error.ts";
import type { Finding } from "../../spiffe/finding.ts";
import type { TrustDomain } from "../../spiffe/id/spiffe-id.ts";
import { connectToEndpoint, type EndpointTrust, type FetchedEndpoint } from "./endpoint-trust.ts";
import { parseEndpointUrl } from "./endpoint-url.ts";
import { FetchError } from "./fetch-error.ts";

export interface FetchOptions extends BundleDocumentOptions {
  readonly trust: EndpointTrust;
  /** Whether answers may send us elsewhere; each place is authenticated as the first (Federation 7.5.1). */
  readonly followRedirects: boolean;
  /** For all of it, however slowly it trickles; default ten seconds. */
  readonly timeoutMs?: number;
  /** Default {@link MAX_BUNDLE_BYTES}. */
  readonly maxBytes?: number;
}

/** A bundle as its endpoint serves it. */
export interface FetchedBundle {
  readonly bundle: Bundle;
  readonly findings: readonly Finding[];
  /** How many times the endpoint sent us elsewhere. */
  readonly redirects: number;
}

const TIMEOUT_MS = 10_000;
const MAX_REDIRECTS = 5;
const REDIRECTS = new Set([301, 302, 303, 307, 308]);

/**
 * Fetches the bundle of a trust domain from its endpoint (Federation 5.2). Every fetch begins at the configured URL; where an endpoint
 * sent us before is not remembered.
 *
 * @throws {FetchError} saying what the endpoint did wrong; the signal's reason when it aborts
 */
export async function fetchBundle(
  trustDomain: TrustDomain,
  endpoint: FetchedEndpoint,
  options: FetchOptions,
  signal: AbortSignal,
): Promise<FetchedBundle> {
  const timeout = AbortSignal.timeout(options.timeoutMs ?? TIMEOUT_MS);
  const either = AbortSignal.any([signal, timeout]);
  try {
    const { body, redirects } = await readDocument(endpoint, options, either);
    return { ...parseBundleDocument(trustDomain, body, options), redirects };
  } catch (cause) {
    if (signal.aborted) throw signal.reason;
    if (timeout.aborted)
      throw new FetchError("endpoint_timeout", "endpoint did not answer in time");
    if (cause instanceof FetchError) throw cause;
    if (cause instanceof SpiffeError) {
      const code = cause.code === "bundle_too_large" ? cause.code : "bundle_malformed";
      throw new FetchError(code, cause.message, { cause });
    }
    const message = cause instanceof Error ? cause.message : "connection failed";
    throw new FetchError("endpoint_unreachable", `endpoint broke off: ${message}`, { cause });
  }
}

async function readDocument(
  endpoint: FetchedEndpoint,
  options: FetchOptions,
  signal: AbortSignal,
): Promise<{ readonly body: Uint8Array; readonly redirects: number }> {
  let url = parseEndpointUrl(endpoint.url);
  for (let redirects = 0; redirects <= MAX_REDIRECTS; redirects++) {
    const socket = await connectToEndpoint(url, endpoint, options.trust, signal);
    try {
      const asked = request({
        createConnection: () => socket,
        path: `${url.pathname}${url.search}`,
        headers: { host: url.host, accept: "application/json", "user-agent": `assay/${VERSION}` },
        signal,
      });
      // What goes wrong after the answer has begun is told by the answer.
      asked.on("error", () => {});
      asked.end();
      const [response]: IncomingMessage[] = await once(asked, "response", { signal });
      if (response === undefined) throw new TypeError("response without a message");
      const { statusCode = 0, headers } = response;
      if (REDIRECTS.has(statusCode)) {
        url = redirectTarget(headers.location, url, options.followRedirects);
        continue;
      }
      if (statusCode !== 200) {
        throw new FetchError("endpoint_status", `endpoint answered with status ${statusCode}`);
      }
      const body = await readBody(response, options.maxBytes ?? MAX_BUNDLE_BYTES);
      return { body, redirects };
    } finally {
      socket.destroy();
    }
  }
  throw new FetchError("endpoint_redirect", `endpoint redirects more than ${MAX_REDIRECTS} times`);
}

function redirectTarget(location: string | undefined, from: URL, isAllowed: boolean): URL {
  const to = location === undefined ? "nowhere" : quote(location);
  if (!isAllowed) {
    throw new FetchError("endpoint_redirect", `endpoint redirects to ${to}, which is turned off`);
  }
  try {
    if (location === undefined) throw new Error("there is no location");
    return parseEndpointUrl(location, from);
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : "malformed";
    throw new FetchError("endpoint_redirect", `endpoint redirects to ${to}: ${why}`, { cause });
  }
}

async function readBody(response: IncomingMessage, maxBytes: number): Promise<Uint8Array> {
  const encoding = response.headers["content-encoding"] ?? "identity";
  if (encoding !== "identity") {
    throw new FetchError("bundle_malformed", `bundle came with encoding ${quote(encoding)}`);
  }
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of response) {
    size += chunk.length;
    if (size > maxBytes) {
      throw new FetchError("bundle_too_large", `bundle is larger than ${maxBytes} bytes`);
    }
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}
