import type { KeyObject } from "node:crypto";
import { SpiffeError } from "../error.ts";
import { MAX_FOREIGN_SPIFFE_ID_BYTES, SpiffeId } from "../id/spiffe-id.ts";
import { bytesEqual } from "./bytes.ts";
import { contextConstructed, contextPrimitive, DerReader, Tag } from "./der.ts";
import {
  type BasicConstraints,
  type Extension,
  type KeyUsageName,
  parseAuthorityKeyIdentifier,
  parseBasicConstraints,
  parseExtKeyUsage,
  parseKeyUsage,
  parseSubjectKeyIdentifier,
  readExtensions,
} from "./extensions.ts";
import { type GeneralName, parseSubjectAltName } from "./general-names.ts";
import { type NameConstraints, parseNameConstraints } from "./name-constraints.ts";
import { ExtensionOid } from "./oids.ts";
import { importPublicKey, type PublicKeyAlgorithm, parsePublicKeyAlgorithm } from "./public-key.ts";
import { parseSignatureAlgorithm, verifySignature } from "./signature-algorithm.ts";

/** Largest certificate in bytes that is read. */
export const MAX_CERTIFICATE_BYTES: number = 64 * 1024;

/** Most certificates that one concatenation may hold. */
export const MAX_CONCATENATED_CERTIFICATES = 1024;

const VERSION_3 = 2;

// Extensions that path validation takes into account, so that they may be critical. Certificate policies are among them
// because nobody who validates SPIFFE paths asks for a policy (RFC 5280 6.1.1 with any-policy and nothing explicit).
const understood: ReadonlySet<string> = new Set([
  ExtensionOid.keyUsage,
  ExtensionOid.subjectAltName,
  ExtensionOid.basicConstraints,
  ExtensionOid.nameConstraints,
  ExtensionOid.certificatePolicies,
  ExtensionOid.extKeyUsage,
]);

/**
 * An X.509 version 3 certificate (RFC 5280 4.1), read strictly from its DER: what SPIFFE needs to know of it, by name.
 *
 * Immutable. Its byte arrays are views of the DER it was parsed from, which nobody may change. Parsing proves nothing:
 * neither the signature nor the validity has been checked; see verifyX509Svid.
 */
export class Certificate {
  readonly der: Uint8Array;
  /** The signed part, a complete element. */
  readonly tbsDer: Uint8Array;
  /** The magnitude of the serial number in lower-case hexadecimal, two digits an octet. */
  readonly serialNumberHex: string;
  /** The Name elements, to be compared byte for byte. */
  readonly issuerDer: Uint8Array;
  readonly subjectDer: Uint8Array;
  readonly notBefore: Date;
  readonly notAfter: Date;
  /** The SubjectPublicKeyInfo, a complete element. */
  readonly spkiDer: Uint8Array;
  /** cA of the basic constraints; false without them. */
  readonly isCa: boolean;
  /** pathLenConstraint: how many intermediates may follow below. */
  readonly pathLength: number | undefined;
  /** Undefined when the certificate has no key usage extension. */
  readonly keyUsage: ReadonlySet<KeyUsageName> | undefined;
  readonly isKeyUsageCritical: boolean;
  /** Object identifiers of the extended key usages; undefined when the certificate has no such extension. */
  readonly extKeyUsages: readonly string[] | undefined;
  /** All subject alternative names, in order. */
  readonly subjectAltNames: readonly GeneralName[];
  readonly isSubjectAltNameCritical: boolean;
  readonly subjectKeyId: Uint8Array | undefined;
  readonly authorityKeyId: Uint8Array | undefined;
  readonly nameConstraints: NameConstraints | undefined;
  /** Object identifiers of critical extensions that we do not understand; any one makes a path invalid. */
  readonly unknownCriticalExtensions: readonly string[];

  readonly #signatureAlgorithmDer: Uint8Array;
  readonly #signature: Uint8Array;
  #publicKey: KeyObject | undefined;
  #spiffeId: SpiffeId | undefined;

  private constructor(der: Uint8Array) {
    const outer = new DerReader(der);
    const certificate = outer.sequence();
    outer.finish();
    this.der = der;
    this.tbsDer = certificate.unreadElement(Tag.sequence);
    this.#signatureAlgorithmDer = certificate.element(Tag.sequence);
    this.#signature = certificate.octetsInBitString();
    certificate.finish();

    const tbs = new DerReader(this.tbsDer).sequence();
    readVersion(tbs);
    this.serialNumberHex = Buffer.from(tbs.unsignedInteger()).toString("hex");
    if (!bytesEqual(tbs.element(Tag.sequence), this.#signatureAlgorithmDer)) {
      throw malformed("the signature algorithm is not the same inside and outside");
    }
    this.issuerDer = tbs.element(Tag.sequence);
    const validity = tbs.sequence();
    this.notBefore = validity.time();
    this.notAfter = validity.time();
    validity.finish();
    this.subjectDer = tbs.element(Tag.sequence);
    this.spkiDer = tbs.element(Tag.sequence);
    // Unique identifiers of issuer and subject: never used, but not forbidden to readers (RFC 5280 4.1.2.8).
    if (tbs.nextIs(contextPrimitive(1))) tbs.bitString(contextPrimitive(1));
    if (tbs.nextIs(contextPrimitive(2))) tbs.bitString(contextPrimitive(2));
    const extensions = readOptionalExtensions(tbs);
    tbs.finish();

    const basicConstraints = parse(
      extensions,
      ExtensionOid.basicConstraints,
      parseBasicConstraints,
    );
    const { isCa, pathLength }: BasicConstraints = basicConstraints ?? { isCa: false };
    this.isCa = isCa;
    this.pathLength = pathLength;
    this.keyUsage = parse(extensions, ExtensionOid.keyUsage, parseKeyUsage);
    this.isKeyUsageCritical = extensions.get(ExtensionOid.keyUsage)?.critical ?? false;
    this.extKeyUsages = parse(extensions, ExtensionOid.extKeyUsage, parseExtKeyUsage);
    this.subjectAltNames =
      parse(extensions, ExtensionOid.subjectAltName, parseSubjectAltName) ?? [];
    this.isSubjectAltNameCritical = extensions.get(ExtensionOid.subjectAltName)?.critical ?? false;
    this.subjectKeyId = parse(
      extensions,
      ExtensionOid.subjectKeyIdentifier,
      parseSubjectKeyIdentifier,
    );
    this.authorityKeyId = parse(
      extensions,
      ExtensionOid.authorityKeyIdentifier,
      parseAuthorityKeyIdentifier,
    );
    this.nameConstraints = parse(extensions, ExtensionOid.nameConstraints, parseNameConstraints);
    this.unknownCriticalExtensions = [...extensions]
      .filter(([oid, { critical }]) => critical && !understood.has(oid))
      .map(([oid]) => oid);
  }

  /**
   * Reads exactly one certificate.
   *
   * @throws {SpiffeError} "certificate_too_large" | "der_malformed" | "certificate_malformed" |
   *   "certificate_extension" | "certificate_extension_duplicate"
   */
  static parse(der: Uint8Array): Certificate {
    if (der.length > MAX_CERTIFICATE_BYTES) {
      throw new SpiffeError(
        "certificate_too_large",
        `certificate must not be larger than ${MAX_CERTIFICATE_BYTES} bytes`,
      );
    }
    return new Certificate(der);
  }

  /** URIs among the subject alternative names, exactly as they were signed. */
  get uriSans(): readonly string[] {
    return this.#namesOf("uri");
  }

  /** DNS names among the subject alternative names. */
  get dnsSans(): readonly string[] {
    return this.#namesOf("dns");
  }

  /**
   * The SPIFFE ID of the certificate: its only URI SAN (X509-SVID 2). Whether the certificate may be used as an SVID is
   * another question; see checkX509SvidLeaf.
   *
   * @throws {SpiffeError} "svid_uri_san" when there is not exactly one URI; the codes of {@link SpiffeId.parse}
   */
  get spiffeId(): SpiffeId {
    if (this.#spiffeId === undefined) {
      const [uri, ...others] = this.uriSans;
      if (uri === undefined || others.length > 0) {
        throw new SpiffeError("svid_uri_san", "certificate must have exactly one URI SAN");
      }
      this.#spiffeId = SpiffeId.parse(uri, MAX_FOREIGN_SPIFFE_ID_BYTES);
    }
    return this.#spiffeId;
  }

  /**
   * The subject's key, imported at first use.
   *
   * @throws {SpiffeError} "public_key_unsupported"
   */
  get publicKey(): KeyObject {
    this.#publicKey ??= importPublicKey(this.spkiDer);
    return this.#publicKey;
  }

  /** What kind of key it is, without importing it. */
  get publicKeyAlgorithm(): PublicKeyAlgorithm {
    return parsePublicKeyAlgorithm(this.spkiDer);
  }

  /** Whether issuer and subject are one name; says nothing about the signature. */
  get isSelfIssued(): boolean {
    return bytesEqual(this.issuerDer, this.subjectDer);
  }

  /** Whether the subject is a name without parts. */
  get isSubjectEmpty(): boolean {
    return this.subjectDer.length === 2;
  }

  /**
   * Whether the certificate's signature was made by the holder of a key.
   *
   * @throws {SpiffeError} "signature_algorithm" for an algorithm that we do not accept, SHA-1 above all
   */
  isSignedBy(publicKey: KeyObject): boolean {
    const algorithm = parseSignatureAlgorithm(this.#signatureAlgorithmDer);
    return verifySignature(algorithm, publicKey, this.tbsDer, this.#signature);
  }

  /** Whether both are the same certificate, byte for byte. */
  equals(other: Certificate): boolean {
    return bytesEqual(this.der, other.der);
  }

  #namesOf(wanted: GeneralName["kind"]): readonly string[] {
    return this.subjectAltNames.filter(({ kind }) => kind === wanted).map(({ text }) => text);
  }
}

/**
 * Reads certificates that stand one after the other without anything between, as the Workload API sends them. None for
 * no bytes.
 *
 * @throws {SpiffeError} "der_malformed" | "certificate_malformed" when there are too many, and the codes of
 *   {@link Certificate.parse}
 */
export function parseConcatenatedCertificates(bytes: Uint8Array): readonly Certificate[] {
  const reader = new DerReader(bytes);
  const certificates: Certificate[] = [];
  while (!reader.atEnd) {
    if (certificates.length === MAX_CONCATENATED_CERTIFICATES) {
      throw malformed(`more than ${MAX_CONCATENATED_CERTIFICATES} certificates in a row`);
    }
    certificates.push(Certificate.parse(reader.unreadElement(Tag.sequence)));
  }
  return certificates;
}

/** The reverse of {@link parseConcatenatedCertificates}. */
export function concatenateCertificates(certificates: readonly Certificate[]): Uint8Array {
  return Buffer.concat(certificates.map(({ der }) => der));
}

function readVersion(tbs: DerReader): void {
  if (!tbs.nextIs(contextConstructed(0))) throw malformed("only version 3 is supported");
  const explicit = tbs.enter(contextConstructed(0));
  if (explicit.smallInteger() !== VERSION_3) throw malformed("only version 3 is supported");
  explicit.finish();
}

function readOptionalExtensions(tbs: DerReader): ReadonlyMap<string, Extension> {
  if (!tbs.nextIs(contextConstructed(3))) return new Map();
  const explicit = tbs.enter(contextConstructed(3));
  const extensions = readExtensions(explicit);
  explicit.finish();
  return extensions;
}

function parse<T>(
  extensions: ReadonlyMap<string, Extension>,
  oid: string,
  parseValue: (valueDer: Uint8Array) => T,
): T | undefined {
  const extension = extensions.get(oid);
  return extension === undefined ? undefined : parseValue(extension.value);
}

function malformed(message: string): SpiffeError {
  return new SpiffeError("certificate_malformed", `certificate is malformed: ${message}`);
}
