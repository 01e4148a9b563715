import { Certificate } from "./certificate.ts";
import { formatPem, parsePemOf } from "./pem.ts";

const LABEL = "CERTIFICATE";

/**
 * Reads the certificates of a PEM text, in order; none for a text without blocks.
 *
 * @throws {SpiffeError} "pem_malformed" and the codes of {@link Certificate.parse}
 */
export function parseCertificatesPem(text: string): readonly Certificate[] {
  return parsePemOf(LABEL, text).map((der) => Certificate.parse(der));
}

/** Writes certificates as PEM blocks, in order. */
export function formatCertificatesPem(certificates: readonly Certificate[]): string {
  return certificates.map(({ der }) => formatPem(LABEL, der)).join("");
}
