import { isIPv4, isIPv6 } from "node:net";
import { SpiffeError } from "../error.ts";

/** Name of the environment variable that holds the address of the Workload Endpoint (Workload Endpoint 4). */
export const ENDPOINT_SOCKET_VARIABLE = "SPIFFE_ENDPOINT_SOCKET";

/** Where a Workload or Broker Endpoint listens. */
export type EndpointAddress =
  | { readonly kind: "unix"; readonly path: string }
  | { readonly kind: "tcp"; readonly host: string; readonly port: number };

export interface EndpointAddressOptions {
  /** Whether a TCP address may have a host name, as brokers allow; workload endpoints take IP addresses only. */
  readonly allowHostNames?: boolean;
}

/**
 * Parses an endpoint address (Workload Endpoint 4): `unix:///path` or `unix:/path`, and `tcp://address:port`. Nothing else
 * may be in it: no authority before a path, no user information, no query and no fragment, not even an empty one.
 *
 * @throws {SpiffeError} "endpoint_address"
 */
export function parseEndpointAddress(
  text: string,
  options: EndpointAddressOptions = {},
): EndpointAddress {
  const [, scheme = "", rest = ""] = /^([A-Za-z]+):(.*)$/s.exec(text) ?? [];
  if (/[?#]/.test(rest)) throw invalid("a query or fragment is not allowed");
  switch (scheme.toLowerCase()) {
    case "unix":
      return parseUnix(rest);
    case "tcp":
      return parseTcp(rest, options.allowHostNames ?? false);
    default:
      throw invalid('it must begin with "unix:" or "tcp:"');
  }
}

/**
 * The address to use: the one given explicitly, else the one from the environment; there is no default.
 *
 * @param environmentValue what {@link ENDPOINT_SOCKET_VARIABLE} holds
 * @throws {SpiffeError} "endpoint_not_configured" | "endpoint_address"
 */
export function resolveEndpointAddress(
  explicit: string | undefined,
  environmentValue: string | undefined,
  options: EndpointAddressOptions = {},
): EndpointAddress {
  const text = explicit ?? environmentValue;
  if (text === undefined) {
    throw new SpiffeError(
      "endpoint_not_configured",
      `no endpoint address is given and ${ENDPOINT_SOCKET_VARIABLE} is not set`,
    );
  }
  return parseEndpointAddress(text, options);
}

/** Writes an address in the form that {@link parseEndpointAddress} reads. */
export function formatEndpointAddress(address: EndpointAddress): string {
  if (address.kind === "unix") {
    const escaped = address.path.replace(/[%?#]/g, (character) => encodeURIComponent(character));
    return `unix://${escaped}`;
  }
  const host = isIPv6(address.host) ? `[${address.host}]` : address.host;
  return `tcp://${host}:${address.port}`;
}

function parseUnix(rest: string): EndpointAddress {
  const path = rest.startsWith("//") ? rest.slice(2) : rest;
  if (!path.startsWith("/")) throw invalid("a unix address must be an absolute path");
  if (path.endsWith("/")) throw invalid("a unix address must name a socket");
  return { kind: "unix", path: unescapePath(path) };
}

function parseTcp(rest: string, allowHostNames: boolean): EndpointAddress {
  const match = /^\/\/(?:\[([0-9A-Fa-f:.]+)\]|([A-Za-z0-9.-]+)):([0-9]{1,5})$/.exec(rest);
  const [, bracketed, plain = "", digits] = match ?? [];
  if (digits === undefined) {
    throw invalid("a tcp address must have the form tcp://address:port, and nothing after it");
  }
  const host = bracketed ?? plain;
  const isAddress = bracketed === undefined ? isIPv4(plain) : isIPv6(bracketed);
  const isName = bracketed === undefined && allowHostNames && isHostName(plain);
  if (!isAddress && !isName) throw invalid("the host of a tcp address must be an IP address");
  const port = Number(digits);
  if (port < 1 || port > 65535) throw invalid("a port lies between 1 and 65535");
  return { kind: "tcp", host, port };
}

// Letters at the end keep a mistyped IPv4 address from passing as a name.
function isHostName(host: string): boolean {
  return host.length <= 253 && /^(?:[A-Za-z0-9-]{1,63}\.)*[A-Za-z][A-Za-z0-9-]{0,62}$/.test(host);
}

function unescapePath(path: string): string {
  let unescaped: string;
  try {
    unescaped = decodeURIComponent(path);
  } catch {
    throw invalid("a percent sign must begin an escaped octet");
  }
  // biome-ignore lint/suspicious/noControlCharactersInRegex: exactly those are looked for
  if (/[\u0000-\u001f\u007f]/.test(unescaped)) {
    throw invalid("a path must not hold control characters");
  }
  return unescaped;
}

function invalid(reason: string): SpiffeError {
  return new SpiffeError("endpoint_address", `endpoint address: ${reason}`);
}
