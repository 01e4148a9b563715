// A bundle endpoint of somebody else, which answers as its test wants: right, wrong or hostile.

import { once } from "node:events";
import type { RequestListener } from "node:http";
import { createServer, type Server } from "node:https";
import type { AddressInfo } from "node:net";
import type { TlsOptions } from "node:tls";
import { formatPem } from "../../spiffe/x509/pem.ts";
import {
  dnsName,
  type Issued,
  ipAddress,
  subjectAltName,
  TestAuthority,
  uriName,
  uriSan,
} from "./test-ca.ts";

/** The machine's clock judges certificates of the Web, whatever the test's clock says. */
const ALWAYS = {
  notBefore: new Date("2020-01-01T00:00:00Z"),
  notAfter: new Date("2049-01-01T00:00:00Z"),
};

/** An authority of the Web that clients here trust. */
export const webAuthority: TestAuthority = TestAuthority.root(
  { ...ALWAYS, subjectAltName: undefined },
  "web",
);

/** A certificate of the Web for 127.0.0.1 and localhost. */
export function webCertificate(
  authority: TestAuthority = webAuthority,
  names: readonly Uint8Array[] = [ipAddress(127, 0, 0, 1), dnsName("localhost")],
  validity: { notBefore: Date; notAfter: Date } = ALWAYS,
): Issued {
  return authority.leaf({ ...validity, subjectAltName: subjectAltName(names, false) });
}

/** An authority of a trust domain, for X509-SVIDs of endpoints. */
export function domainAuthority(trustDomain: string): TestAuthority {
  const name = subjectAltName([uriName(`spiffe://${trustDomain}`)], false);
  return TestAuthority.root({ ...ALWAYS, subjectAltName: name }, trustDomain);
}

/** An X509-SVID. */
export function endpointSvid(authority: TestAuthority, id: string): Issued {
  return authority.leaf({ ...ALWAYS, subjectAltName: uriSan(id) });
}

export function pemOf(certificate: Issued): { readonly cert: string; readonly key: string } {
  return {
    cert: formatPem("CERTIFICATE", certificate.der),
    key: String(certificate.privateKey.export({ format: "pem", type: "pkcs8" })),
  };
}

export class ForeignEndpoint implements AsyncDisposable {
  /** What each request is answered with. */
  respond: RequestListener;
  /** Paths that were asked for. */
  readonly asked: string[] = [];
  readonly #server: Server;

  static async open(
    certificate: Issued,
    respond: RequestListener,
    options: TlsOptions = {},
  ): Promise<ForeignEndpoint> {
    const endpoint = new ForeignEndpoint(certificate, respond, options);
    endpoint.#server.listen(0, "127.0.0.1");
    await once(endpoint.#server, "listening");
    return endpoint;
  }

  private constructor(certificate: Issued, respond: RequestListener, options: TlsOptions) {
    this.respond = respond;
    this.#server = createServer({ ...pemOf(certificate), ...options }, (request, response) => {
      this.asked.push(request.url ?? "");
      this.respond(request, response);
    });
    // Clients that refuse us end the handshake.
    this.#server.on("tlsClientError", (_, socket) => socket.destroy());
  }

  get url(): string {
    const { port } = this.#server.address() as AddressInfo;
    return `https://127.0.0.1:${port}/bundle`;
  }

  /** Shows another certificate from now on. */
  show(certificate: Issued): void {
    this.#server.setSecureContext(pemOf(certificate));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = once(this.#server, "close");
    this.#server.close();
    this.#server.closeAllConnections();
    await closed;
  }
}

/** Answers with a text. */
export function answering(
  body: string | Uint8Array,
  status = 200,
  headers: Readonly<Record<string, string>> = { "content-type": "application/json" },
): RequestListener {
  return (_, response) => response.writeHead(status, headers).end(body);
}

/** Sends the client elsewhere. */
export function redirecting(location: string | undefined, status = 302): RequestListener {
  return (_, response) =>
    response.writeHead(status, location === undefined ? {} : { location }).end();
}
