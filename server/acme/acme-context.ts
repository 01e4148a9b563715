import type { SecureContextOptions } from "node:tls";
import { Feed, type ReadFeed } from "../../runtime/feed.ts";
import { formatPem } from "../../spiffe/x509/pem.ts";
import { makeVoidIdentity } from "../../spiffe/x509/void-identity.ts";
import { AcmeCertificate, type AcmeCertificateDeps } from "./acme-certificate.ts";
import { acmeOrders } from "./order-certificate.ts";

/**
 * What an HTTPS port shows whose certificate is obtained by ACME. The port has to be open for the challenge before there is a
 * certificate: until then it shows one that nobody takes.
 */
export class AcmeContext {
  readonly certificate: AcmeCertificate;
  readonly #shown: Feed<SecureContextOptions>;

  /** Orders nothing yet. @throws {Error} when a folder or file of the settings cannot be used */
  static async open(deps: Omit<AcmeCertificateDeps, "order">): Promise<AcmeContext> {
    const order = await acmeOrders(deps.settings);
    return new AcmeContext(await AcmeCertificate.open({ ...deps, order }));
  }

  private constructor(certificate: AcmeCertificate) {
    this.certificate = certificate;
    this.#shown = new Feed<SecureContextOptions>(certificate.current.value ?? placeholder());
  }

  get current(): ReadFeed<SecureContextOptions> {
    return this.#shown;
  }

  /** Obtains, renews and shows. Resolves once `signal` aborts. */
  async run(signal: AbortSignal): Promise<void> {
    await Promise.all([this.certificate.run(signal), this.#follow(signal)]);
  }

  async #follow(signal: AbortSignal): Promise<void> {
    for await (const obtained of this.certificate.current.subscribe(signal)) {
      if (obtained !== undefined) this.#shown.set(obtained);
    }
  }
}

function placeholder(): SecureContextOptions {
  const { certificateChainDer, privateKeyPkcs8 } = makeVoidIdentity("no certificate obtained yet");
  return {
    cert: formatPem("CERTIFICATE", certificateChainDer),
    key: formatPem("PRIVATE KEY", privateKeyPkcs8),
  };
}
