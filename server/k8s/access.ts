import type { Agent } from "node:https";

/** How to reach an API server, and as whom. */
export interface Access {
  /** An https URL. A path in it is put in front of every path. Read after the credentials, with which it may change. */
  readonly server: URL;
  /**
   * What the next request uses. Asked for each request, because tokens and certificates are replaced while we run.
   *
   * @throws {Error} when the credentials cannot be had
   */
  credentials(): Promise<Credentials>;
}

/** Credentials of one request. Never logged. */
export interface Credentials {
  readonly tls: TlsMaterial;
  /** Headers that say who we are. */
  readonly headers: Readonly<Record<string, string>>;
  /** Where connections cannot be made directly, what makes them. */
  readonly agent?: Agent | undefined;
}

/** What a TLS connection to an API server is made with. The server's certificate is always verified. */
export interface TlsMaterial {
  /** PEM; without it the authorities that the system knows. */
  readonly ca?: string | undefined;
  readonly cert?: string | undefined;
  readonly key?: string | undefined;
  /** Name in the server's certificate where it is not that of the URL. */
  readonly servername?: string | undefined;
}

/** Access that is written down as a whole: it needs no file, no command and no login. */
export interface StaticAccess {
  readonly server: string;
  readonly tls: TlsMaterial;
  /** A bearer token, of a service account for instance. Without it: the client certificate. */
  readonly token?: string | undefined;
}

/** See {@link StaticAccess}. @throws {Error} unless the server is an https URL and there is one credential */
export function staticAccess({ server, tls, token }: StaticAccess): Access {
  const hasCertificate = tls.cert !== undefined && tls.key !== undefined;
  if (token === undefined && !hasCertificate) {
    throw new Error("expected a token, or a client certificate with its key");
  }
  const headers = token === undefined ? {} : bearer(token);
  return { server: serverUrl(server), credentials: async () => ({ tls, headers }) };
}

/** The headers of a bearer token. */
export function bearer(token: string): Readonly<Record<string, string>> {
  return { authorization: `Bearer ${token.trim()}` };
}

/** Reads the address of an API server. @throws {Error} unless it is an https URL without credentials */
export function serverUrl(text: string): URL {
  const url = URL.parse(text);
  const isPlain = url !== null && url.username === "" && url.search === "" && url.hash === "";
  if (!isPlain || url.protocol !== "https:") {
    throw new Error(
      "the API server's address: expected an https URL such as https://10.0.0.1:6443",
    );
  }
  return url;
}
