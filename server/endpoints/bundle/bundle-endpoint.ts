/**
 * Serves the own trust domain's bundle to whoever federates with us (Federation 5). What it serves is public; it decides nothing, and
 * the caller is nobody to it.
 */
import type { SecureContextOptions } from "node:tls";
import { Feed, type ReadFeed } from "../../../runtime/feed.ts";
import { DocumentServer, type ServedDocument } from "../../../runtime/http/document-server.ts";
import type { Logger } from "../../../runtime/log.ts";
import type { Random } from "../../../runtime/random.ts";
import type { Clock } from "../../../runtime/time/clock.ts";
import type { Bundle } from "../../../spiffe/bundle/bundle.ts";
import { formatBundleDocument } from "../../../spiffe/bundle/bundle-document.ts";
import type { X509Svid } from "../../../spiffe/svid/x509-svid.ts";
import { contextOptionsOf } from "../../../spiffe/tls/secure-context.ts";
import type { AcmeCertificate } from "../../acme/acme-certificate.ts";
import { openWebCertificate, type ShownCertificate } from "../../acme/web-certificate.ts";
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
  readonly #shown: ShownCertificate;

  /** Listens when it returns. @throws {Error} when the certificate cannot be used, or the address is taken */
  static async open(deps: BundleEndpointDeps): Promise<BundleEndpoint> {
    const { profile } = deps.settings;
    const shown =
      profile.type === "https_spiffe"
        ? ownIdentity(deps.identity)
        : await openWebCertificate(profile, deps);
    return new BundleEndpoint(await listen(deps, shown), shown);
  }

  private constructor(server: DocumentServer, shown: ShownCertificate) {
    this.#server = server;
    this.#shown = shown;
  }

  /** Where the certificate is obtained by ACME. */
  get acme(): AcmeCertificate | undefined {
    return this.#shown.acme;
  }

  get port(): number {
    return this.#server.port;
  }

  /** Follows the certificate. Resolves once `signal` aborts. */
  run(signal: AbortSignal): Promise<void> {
    return this.#shown.run(signal);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#server[Symbol.asyncDispose]();
  }
}

/** Shows the server's own X509-SVID as https_spiffe has it. */
function ownIdentity(identity: ReadFeed<X509Svid>): ShownCertificate {
  const certificate = new Feed<SecureContextOptions>(contextOptionsOf(identity.value));
  const run = async (signal: AbortSignal): Promise<void> => {
    for await (const svid of identity.subscribe(signal)) certificate.set(contextOptionsOf(svid));
  };
  return { certificate, run };
}

function listen(
  { settings, bundle, log }: BundleEndpointDeps,
  { certificate, handshakeOnly }: ShownCertificate,
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
