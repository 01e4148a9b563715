/**
 * Serves the own trust domain's bundle to whoever federates with us (Federation 5). What it serves is public; it decides nothing, and
 * the caller is nobody to it.
 */
import type { SecureContextOptions } from "node:tls";
import { Feed, type ReadFeed } from "../../../runtime/feed.ts";
import { CertificateFiles } from "../../../runtime/http/certificate-files.ts";
import {
  DocumentServer,
  type HandshakeOnly,
  type ServedDocument,
} from "../../../runtime/http/document-server.ts";
import type { Logger } from "../../../runtime/log.ts";
import type { Random } from "../../../runtime/random.ts";
import type { Clock } from "../../../runtime/time/clock.ts";
import type { Bundle } from "../../../spiffe/bundle/bundle.ts";
import { formatBundleDocument } from "../../../spiffe/bundle/bundle-document.ts";
import type { X509Svid } from "../../../spiffe/svid/x509-svid.ts";
import { contextOptionsOf } from "../../../spiffe/tls/secure-context.ts";
import type { AcmeCertificate } from "../../acme/acme-certificate.ts";
import { AcmeContext } from "../../acme/acme-context.ts";
import type { BundleEndpointSettings } from "../../config/federation-settings.ts";

export interface BundleEndpointDeps {
  readonly settings: BundleEndpointSettings;
  readonly bundle: ReadFeed<Bundle>;
  /** The server's own X509-SVID, which https_spiffe shows. */
  readonly identity: ReadFeed<X509Svid>;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
}

export class BundleEndpoint implements AsyncDisposable {
  readonly #server: DocumentServer;
  readonly #run: (signal: AbortSignal) => Promise<void>;
  /** Where the certificate is obtained by ACME. */
  readonly acme: AcmeCertificate | undefined;

  /** Listens when it returns. @throws {Error} when the certificate cannot be used, or the address is taken */
  static async open(deps: BundleEndpointDeps): Promise<BundleEndpoint> {
    const { settings, clock, log } = deps;
    if (settings.profile.type === "https_web_acme") {
      const acme = await AcmeContext.open({ ...deps, settings: settings.profile });
      const { challenges } = acme.certificate;
      const server = await listen(deps, acme.current, challenges);
      return new BundleEndpoint(server, (stop) => acme.run(stop), acme.certificate);
    }
    if (settings.profile.type === "https_web") {
      const files = await CertificateFiles.open(settings.profile, { clock, log });
      return new BundleEndpoint(await listen(deps, files.current), (stop) => files.run(stop));
    }
    const certificate = new Feed<SecureContextOptions>(contextOptionsOf(deps.identity.value));
    return new BundleEndpoint(await listen(deps, certificate), async (stop) => {
      for await (const svid of deps.identity.subscribe(stop)) {
        certificate.set(contextOptionsOf(svid));
      }
    });
  }

  private constructor(
    server: DocumentServer,
    run: (signal: AbortSignal) => Promise<void>,
    acme?: AcmeCertificate,
  ) {
    this.#server = server;
    this.#run = run;
    this.acme = acme;
  }

  get port(): number {
    return this.#server.port;
  }

  /** Follows the certificate. Resolves once `signal` aborts. */
  run(signal: AbortSignal): Promise<void> {
    return this.#run(signal);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#server[Symbol.asyncDispose]();
  }
}

function listen(
  { settings, bundle, log }: BundleEndpointDeps,
  certificate: ReadFeed<SecureContextOptions>,
  handshakeOnly?: HandshakeOnly,
): Promise<DocumentServer> {
  const { address, port, path, maxConnections } = settings;
  let last: { readonly bundle: Bundle; readonly document: ServedDocument } | undefined;
  return DocumentServer.open({
    address,
    port,
    maxConnections,
    certificate,
    handshakeOnly,
    documentAt: (asked) => {
      if (asked !== path) return undefined;
      const { value } = bundle;
      if (last?.bundle !== value) last = { bundle: value, document: documentOf(value) };
      return last.document;
    },
    log,
  });
}

// A cache may keep it and has to ask each time: a key that is revoked must not live on in between.
function documentOf(bundle: Bundle): ServedDocument {
  return {
    body: formatBundleDocument(bundle),
    contentType: "application/json",
    cacheControl: "no-cache",
  };
}
