// Before @peculiar/x509, which registers its parts through it.
import "reflect-metadata";
import {
  AuthorityKeyIdentifierExtension,
  BasicConstraintsExtension,
  KeyUsageFlags,
  KeyUsagesExtension,
  Name,
  SubjectAlternativeNameExtension,
  SubjectKeyIdentifierExtension,
  X509CertificateGenerator,
} from "@peculiar/x509";
import { bytesEqual } from "../../spiffe/x509/bytes.ts";
import { Certificate } from "../../spiffe/x509/certificate.ts";
import { distinguishedName } from "../../spiffe/x509/distinguished-name.ts";
import type { KeyHandle } from "../keymanager/key-manager.ts";
import type { KeyType } from "../keymanager/key-type.ts";
import { signatureAlgorithmDer } from "./authority.ts";
import { ProfileError } from "./certificate-check.ts";
import { SUBJECT_BASE } from "./certificate-profile.ts";
import { serialNumberHex } from "./serial-number.ts";
import { subjectKeyId } from "./subject-key-id.ts";
import { assembleCertificate } from "./svid-template.ts";

/** What a CA certificate is made from. */
export interface CaFields {
  readonly serial: Uint8Array;
  readonly notBefore: Date;
  readonly notAfter: Date;
  readonly spkiDer: Uint8Array;
  /** The ID of the trust domain: `spiffe://example.org` (X509-SVID 3.2). */
  readonly trustDomainId: string;
  /** The serialNumber attribute of the subject, which makes the subject unique among all authorities of the trust domain. */
  readonly subjectSerial: string;
  readonly organizationalUnit?: string;
  /** Who signs it; itself without one. */
  readonly issuer?: { readonly subjectDer: Uint8Array; readonly keyId: Uint8Array };
}

/**
 * Builds, checks and signs a CA certificate. Rare, so it is built by a library rather than by a template of ours; what it made is read
 * back by our own reader before the key is used.
 *
 * @param signer key of the issuer, or the CA's own for a self-signed one
 * @returns DER
 * @throws {ProfileError} when what was built is not what was asked for
 */
export async function signCaCertificate(fields: CaFields, signer: KeyHandle): Promise<Uint8Array> {
  const algorithmDer = signatureAlgorithmDer(signer.type);
  const { tbsDer } = Certificate.parse(await buildUnsigned(fields, signer.type));
  const placeholder = assembleCertificate(tbsDer, algorithmDer, new Uint8Array(1));
  checkCaCertificate(Certificate.parse(placeholder), fields);
  const certificate = assembleCertificate(tbsDer, algorithmDer, await signer.sign(tbsDer, "der"));
  // Seldom enough to look twice, and it may have been signed elsewhere.
  if (!Certificate.parse(certificate).isSignedBy(signer.publicKey)) {
    throw new ProfileError("certificate profile: signature");
  }
  return certificate;
}

/** A certificate with a signature of zeros: the library builds no part of one alone. */
async function buildUnsigned(fields: CaFields, signerType: KeyType): Promise<Uint8Array> {
  const { spkiDer, notBefore, notAfter, trustDomainId, issuer } = fields;
  const keyId = subjectKeyId(spkiDer);
  const subject = subjectOf(fields);
  const certificate = await X509CertificateGenerator.create({
    serialNumber: serialNumberHex(fields.serial),
    subject: new Name(Buffer.from(subject)),
    issuer: new Name(Buffer.from(issuer?.subjectDer ?? subject)),
    notBefore,
    notAfter,
    publicKey: Buffer.from(spkiDer),
    extensions: [
      new KeyUsagesExtension(KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign, true),
      new BasicConstraintsExtension(true, undefined, true),
      new SubjectKeyIdentifierExtension(hex(keyId)),
      new AuthorityKeyIdentifierExtension(hex(issuer?.keyId ?? keyId)),
      new SubjectAlternativeNameExtension([{ type: "url", value: trustDomainId }]),
    ],
    ...UNSIGNED[signerType],
  });
  return new Uint8Array(certificate.rawData);
}

const UNSIGNED = {
  "ec-p256": {
    signingAlgorithm: { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" },
    signature: new Uint8Array(64),
  },
  "ec-p384": {
    signingAlgorithm: { name: "ECDSA", namedCurve: "P-384", hash: "SHA-384" },
    signature: new Uint8Array(96),
  },
  "rsa-2048": {
    signingAlgorithm: { name: "RSASSA-PKCS1-v1_5", hash: "SHA-256" },
    signature: new Uint8Array(256),
  },
  "rsa-4096": {
    signingAlgorithm: { name: "RSASSA-PKCS1-v1_5", hash: "SHA-256" },
    signature: new Uint8Array(512),
  },
} as const;

function subjectOf({ organizationalUnit, subjectSerial }: CaFields): Uint8Array {
  return distinguishedName({
    ...SUBJECT_BASE,
    ...(organizationalUnit === undefined ? {} : { organizationalUnit }),
    serialNumber: subjectSerial,
  });
}

function checkCaCertificate(certificate: Certificate, fields: CaFields): void {
  const { keyUsage, uriSans, subjectKeyId: ski, authorityKeyId: aki } = certificate;
  const keyId = subjectKeyId(fields.spkiDer);
  const { subjectDer, keyId: issuerKeyId } = fields.issuer ?? {
    subjectDer: certificate.subjectDer,
    keyId,
  };
  const holds =
    certificate.serialNumberHex === serialNumberHex(fields.serial) &&
    certificate.notBefore.getTime() === fields.notBefore.getTime() &&
    certificate.notAfter.getTime() === fields.notAfter.getTime() &&
    bytesEqual(certificate.spkiDer, fields.spkiDer) &&
    bytesEqual(certificate.subjectDer, subjectOf(fields)) &&
    bytesEqual(certificate.issuerDer, subjectDer) &&
    certificate.isCa &&
    certificate.pathLength === undefined &&
    certificate.isKeyUsageCritical &&
    keyUsage?.size === 2 &&
    keyUsage.has("keyCertSign") &&
    keyUsage.has("cRLSign") &&
    certificate.extKeyUsages === undefined &&
    certificate.subjectAltNames.length === 1 &&
    uriSans[0] === fields.trustDomainId &&
    ski !== undefined &&
    bytesEqual(ski, keyId) &&
    aki !== undefined &&
    bytesEqual(aki, issuerKeyId) &&
    certificate.unknownCriticalExtensions.length === 0;
  if (!holds) throw new ProfileError("certificate profile: CA certificate");
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("hex");
}
