import { Certificate } from "../../spiffe/x509/certificate.ts";
import type { X509Authority } from "./authority.ts";
import { assembleCertificate } from "./svid-template.ts";

/**
 * Signs checked bytes by an authority whose key may live elsewhere; of such a key the signature is verified, because only then it is
 * sure that what came back belongs to what was sent.
 *
 * @returns the certificate, DER
 * @throws {Error} when the signature is wrong
 */
export async function signTbs(authority: X509Authority, tbsDer: Uint8Array): Promise<Uint8Array> {
  const { key, certificate, issuer } = authority;
  const signature = await key.sign(tbsDer, "der");
  const signed = assembleCertificate(tbsDer, issuer.signatureAlgorithmDer, signature);
  const isLocal = key.lend !== undefined;
  if (!isLocal && !Certificate.parse(signed).isSignedBy(certificate.publicKey)) {
    throw new Error(`key ${key.id} gave a wrong signature`);
  }
  return signed;
}
