import type { SecureContextOptions } from "node:tls";
import type { ReadFeed } from "../../runtime/feed.ts";
import { CertificateFiles, type CertificatePaths } from "../../runtime/http/certificate-files.ts";
import type { HandshakeOnly } from "../../runtime/http/document-server.ts";
import type { AcmeSettings } from "../config/acme-settings.ts";
import type { AcmeCertificate, AcmeCertificateDeps } from "./acme-certificate.ts";
import { AcmeContext } from "./acme-context.ts";

/** What an HTTPS port shows. */
export interface ShownCertificate {
  readonly certificate: ReadFeed<SecureContextOptions>;
  readonly handshakeOnly?: HandshakeOnly;
  /** Where it is obtained by ACME. */
  readonly acme?: AcmeCertificate;
  /** Keeps it current. Resolves once `signal` aborts. */
  readonly run: (signal: AbortSignal) => Promise<void>;
}

/** A certificate of the Web: that of two files, or one that is obtained by ACME. @throws {Error} when a file or folder of the settings cannot be used */
export async function openWebCertificate(
  settings: CertificatePaths | AcmeSettings,
  deps: Pick<AcmeCertificateDeps, "clock" | "random" | "log">,
): Promise<ShownCertificate> {
  if ("certFile" in settings) {
    const files = await CertificateFiles.open(settings, deps);
    return { certificate: files.current, run: (signal) => files.run(signal) };
  }
  const context = await AcmeContext.open({ ...deps, settings });
  const { certificate: acme } = context;
  return {
    certificate: context.current,
    handshakeOnly: acme.challenges,
    acme,
    run: (signal) => context.run(signal),
  };
}
