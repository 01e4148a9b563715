/**
 * OIDC discovery for verifiers that know nothing of SPIFFE: clouds, Vault, Kubernetes. It serves public keys to anybody and decides
 * nothing. Who can change what it serves, or its certificate, can have tokens of his own accepted wherever the issuer is trusted.
 */
import { CertificateFiles } from "../../runtime/http/certificate-files.ts";
import { type DocumentListen, DocumentServer } from "../../runtime/http/document-server.ts";
import type { Logger } from "../../runtime/log.ts";
import type { Clock } from "../../runtime/time/clock.ts";
import type { OidcServing } from "../config/oidc-settings.ts";
import { type Provider, ProviderSite } from "./provider-site.ts";

export interface ProviderEndpointDeps {
  readonly settings: OidcServing;
  readonly providers: readonly Provider[];
  readonly clock: Clock;
  readonly log: Logger;
}

export class ProviderEndpoint implements AsyncDisposable {
  readonly #server: DocumentServer;
  readonly #files: CertificateFiles | undefined;

  /** Listens when it returns. @throws {Error} when the certificate cannot be used, or the address or path is taken */
  static async open(deps: ProviderEndpointDeps): Promise<ProviderEndpoint> {
    const { settings, providers, clock, log } = deps;
    const { listen, algorithms, maxAge, maxConnections } = settings;
    const files = listen.type === "https" ? await CertificateFiles.open(listen, deps) : undefined;
    const maxAgeSeconds = Math.floor(maxAge / 1000);
    const site = new ProviderSite({ providers, algorithms, maxAgeSeconds, clock });
    const server = await DocumentServer.open({
      ...whereOf(listen, files),
      maxConnections,
      documentAt: (path, host) => site.documentAt(path, host),
      log,
    });
    return new ProviderEndpoint(server, files);
  }

  private constructor(server: DocumentServer, files: CertificateFiles | undefined) {
    this.#server = server;
    this.#files = files;
  }

  /** The TCP port; 0 on a Unix socket. */
  get port(): number {
    return this.#server.port;
  }

  /** Follows the certificate. Resolves once `signal` aborts. */
  async run(signal: AbortSignal): Promise<void> {
    await this.#files?.run(signal);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#server[Symbol.asyncDispose]();
  }
}

function whereOf(
  listen: OidcServing["listen"],
  files: CertificateFiles | undefined,
): DocumentListen {
  if (listen.type === "socket") return { socketPath: listen.path, mode: listen.mode };
  if (files === undefined) throw new TypeError("HTTPS needs a certificate");
  return { address: listen.address, port: listen.port, certificate: files.current };
}
