/**
 * OIDC discovery for verifiers that know nothing of SPIFFE: clouds, Vault, Kubernetes. It serves public keys to anybody and decides
 * nothing. Who can change what it serves, or its certificate, can have tokens of his own accepted wherever the issuer is trusted.
 */
import { type DocumentListen, DocumentServer } from "../../runtime/http/document-server.ts";
import type { Logger } from "../../runtime/log.ts";
import type { Random } from "../../runtime/random.ts";
import type { Clock } from "../../runtime/time/clock.ts";
import type { AcmeCertificate } from "../acme/acme-certificate.ts";
import { openWebCertificate, type ShownCertificate } from "../acme/web-certificate.ts";
import type { OidcServing } from "../config/oidc-settings.ts";
import { type Provider, ProviderSite } from "./provider-site.ts";

export interface ProviderEndpointDeps {
  readonly settings: OidcServing;
  readonly providers: readonly Provider[];
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
}

export class ProviderEndpoint implements AsyncDisposable {
  readonly #server: DocumentServer;
  /** Absent on a Unix socket. */
  readonly #shown: ShownCertificate | undefined;

  /** Listens when it returns. @throws {Error} when the certificate cannot be used, or the address or path is taken */
  static async open(deps: ProviderEndpointDeps): Promise<ProviderEndpoint> {
    const { settings, providers, clock, log } = deps;
    const { listen, algorithms, maxAge, maxConnections } = settings;
    const maxAgeSeconds = Math.floor(maxAge / 1000);
    const site = new ProviderSite({ providers, algorithms, maxAgeSeconds, clock });
    const shown = listen.type === "socket" ? undefined : await openWebCertificate(listen, deps);
    const server = await DocumentServer.open({
      ...whereOf(listen, shown),
      maxConnections,
      documentAt: (path, host) => site.documentAt(path, host),
      log,
    });
    return new ProviderEndpoint(server, shown);
  }

  private constructor(server: DocumentServer, shown: ShownCertificate | undefined) {
    this.#server = server;
    this.#shown = shown;
  }

  /** Where the certificate is obtained by ACME. */
  get acme(): AcmeCertificate | undefined {
    return this.#shown?.acme;
  }

  /** The TCP port; 0 on a Unix socket. */
  get port(): number {
    return this.#server.port;
  }

  /** Follows the certificate. Resolves once `signal` aborts. */
  async run(signal: AbortSignal): Promise<void> {
    await this.#shown?.run(signal);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#server[Symbol.asyncDispose]();
  }
}

function whereOf(
  listen: OidcServing["listen"],
  shown: ShownCertificate | undefined,
): DocumentListen {
  if (listen.type === "socket") return { socketPath: listen.path, mode: listen.mode };
  if (shown === undefined) throw new TypeError("HTTPS needs a certificate");
  const { certificate, handshakeOnly } = shown;
  return { address: listen.address, port: listen.port, certificate, handshakeOnly };
}
