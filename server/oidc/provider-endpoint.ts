/**
 * OIDC discovery for verifiers that know nothing of SPIFFE: clouds, Vault, Kubernetes. It serves public keys to anybody and decides
 * nothing. Who can change what it serves, or its certificate, can have tokens of his own accepted wherever the issuer is trusted.
 */
import { CertificateFiles } from "../../runtime/http/certificate-files.ts";
import { DocumentServer } from "../../runtime/http/document-server.ts";
import type { Logger } from "../../runtime/log.ts";
import type { Random } from "../../runtime/random.ts";
import type { Clock } from "../../runtime/time/clock.ts";
import type { AcmeCertificate } from "../acme/acme-certificate.ts";
import { AcmeContext } from "../acme/acme-context.ts";
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
  readonly #certificate: CertificateFiles | AcmeContext | undefined;

  /** Listens when it returns. @throws {Error} when the certificate cannot be used, or the address or path is taken */
  static async open(deps: ProviderEndpointDeps): Promise<ProviderEndpoint> {
    const { settings, providers, clock, log } = deps;
    const { listen, algorithms, maxAge, maxConnections } = settings;
    const certificate = await openCertificate(deps);
    const maxAgeSeconds = Math.floor(maxAge / 1000);
    const site = new ProviderSite({ providers, algorithms, maxAgeSeconds, clock });
    const server = await DocumentServer.open({
      ...(listen.type === "socket"
        ? { socketPath: listen.path, mode: listen.mode }
        : { address: listen.address, port: listen.port, ...shown(certificate) }),
      maxConnections,
      documentAt: (path, host) => site.documentAt(path, host),
      log,
    });
    return new ProviderEndpoint(server, certificate);
  }

  private constructor(
    server: DocumentServer,
    certificate: CertificateFiles | AcmeContext | undefined,
  ) {
    this.#server = server;
    this.#certificate = certificate;
  }

  /** Where the certificate is obtained by ACME. */
  get acme(): AcmeCertificate | undefined {
    return this.#certificate instanceof AcmeContext ? this.#certificate.certificate : undefined;
  }

  /** The TCP port; 0 on a Unix socket. */
  get port(): number {
    return this.#server.port;
  }

  /** Follows the certificate. Resolves once `signal` aborts. */
  async run(signal: AbortSignal): Promise<void> {
    await this.#certificate?.run(signal);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#server[Symbol.asyncDispose]();
  }
}

function openCertificate({
  settings: { listen },
  ...deps
}: ProviderEndpointDeps): Promise<CertificateFiles | AcmeContext> | undefined {
  if (listen.type === "https") return CertificateFiles.open(listen, deps);
  return listen.type === "https_acme" ? AcmeContext.open({ ...deps, settings: listen }) : undefined;
}

function shown(certificate: CertificateFiles | AcmeContext | undefined) {
  if (certificate === undefined) throw new TypeError("HTTPS needs a certificate");
  const { current } = certificate;
  return certificate instanceof AcmeContext
    ? { certificate: current, handshakeOnly: certificate.certificate.challenges }
    : { certificate: current };
}
