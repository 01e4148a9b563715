import type { HandshakeOnly, KeyAndCertificate } from "../../runtime/http/document-server.ts";

/** What TLS-ALPN-01 (RFC 8737) is answered with: while a name is being validated, a certificate that only the validator asks for. */
export class Challenges implements HandshakeOnly {
  readonly protocol = "acme-tls/1";
  readonly #shown = new Map<string, KeyAndCertificate>();

  certificateFor(servername: string): KeyAndCertificate | undefined {
    return this.#shown.get(servername.toLowerCase());
  }

  /** Answers for a name until {@link remove}. */
  put(domain: string, certificate: KeyAndCertificate): void {
    this.#shown.set(domain, certificate);
  }

  remove(domain: string): void {
    this.#shown.delete(domain);
  }
}
