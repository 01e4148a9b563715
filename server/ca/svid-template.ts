import { contextConstructed, contextPrimitive, Tag } from "../../spiffe/x509/der.ts";
import * as der from "../../spiffe/x509/der-writer.ts";
import { distinguishedName } from "../../spiffe/x509/distinguished-name.ts";
import { keyUsageNames } from "../../spiffe/x509/extensions.ts";
import { ExtensionOid } from "../../spiffe/x509/oids.ts";
import {
  commonNameOf,
  SUBJECT_BASE,
  SVID_PROFILE,
  type SvidFields,
} from "./certificate-profile.ts";
import { DerBuffer, elementLength } from "./der-buffer.ts";
import { SERIAL_BYTES } from "./serial-number.ts";
import { subjectKeyId } from "./subject-key-id.ts";

const VERSION_3 = 2;
const KEY_ID_BYTES = 20;
const SAN_DNS = contextPrimitive(2);
const SAN_URI = contextPrimitive(6);
const EXTENSIONS = contextConstructed(3);

const SUBJECT = distinguishedName(SUBJECT_BASE);
const SAN_OID = der.oid(ExtensionOid.subjectAltName);

/** What of an authority stands in the certificates it signs. */
export interface IssuerParts {
  /** The authority's subject, a Name element. */
  readonly issuerDer: Uint8Array;
  readonly authorityKeyId: Uint8Array;
  /** The AlgorithmIdentifier of its signatures. */
  readonly signatureAlgorithmDer: Uint8Array;
}

/**
 * Builds the to-be-signed part of X509-SVIDs of one authority. What is the same for all of them is encoded once; only serial number,
 * validity, key, its identifier and the names are filled in. Knows nothing of signing, so the key may live anywhere.
 */
export class SvidTemplate {
  /** Version, and the header of the serial number. */
  readonly #beforeSerial: Uint8Array;
  /** Algorithm and issuer. */
  readonly #afterSerial: Uint8Array;
  readonly #extensionsEc: Uint8Array;
  readonly #extensionsRsa: Uint8Array;
  readonly #authorityKeyId: Uint8Array;
  #validity: { readonly from: number; readonly to: number; readonly der: Uint8Array } | undefined;

  constructor(issuer: IssuerParts) {
    const serial = new Uint8Array(SERIAL_BYTES).fill(1);
    const version = der.context(0, der.integer(VERSION_3));
    this.#beforeSerial = Buffer.concat([version, der.integer(serial).subarray(0, -SERIAL_BYTES)]);
    this.#afterSerial = Buffer.concat([issuer.signatureAlgorithmDer, issuer.issuerDer]);
    this.#extensionsEc = leadingExtensions(false);
    this.#extensionsRsa = leadingExtensions(true);
    this.#authorityKeyId = extension(
      ExtensionOid.authorityKeyIdentifier,
      der.sequence(der.contextValue(0, issuer.authorityKeyId)),
    );
  }

  /** The TBSCertificate (RFC 5280 4.1.2), a complete element. Whoever signs it has it checked first. */
  fill(fields: SvidFields): Uint8Array {
    const { serial, spkiDer, spiffeId, dnsNames } = fields;
    if (serial.length !== SERIAL_BYTES) throw new RangeError("a serial number has 16 octets");
    const validity = this.#validityOf(fields.notBefore, fields.notAfter);
    const subject = subjectOf(dnsNames);
    const extensions = fields.isRsa ? this.#extensionsRsa : this.#extensionsEc;

    let namesLength = elementLength(spiffeId.length);
    for (const name of dnsNames) namesLength += elementLength(name.length);
    const sanLength = elementLength(namesLength);
    const sanExtensionLength = SAN_OID.length + elementLength(sanLength);
    const extensionsLength =
      extensions.length +
      KEY_ID_BYTES +
      this.#authorityKeyId.length +
      elementLength(sanExtensionLength);
    const contextLength = elementLength(extensionsLength);
    const length =
      this.#beforeSerial.length +
      SERIAL_BYTES +
      this.#afterSerial.length +
      validity.length +
      subject.length +
      spkiDer.length +
      elementLength(contextLength);

    const tbs = new DerBuffer(elementLength(length));
    tbs.header(Tag.sequence, length);
    tbs.put(this.#beforeSerial);
    tbs.put(serial);
    tbs.put(this.#afterSerial);
    tbs.put(validity);
    tbs.put(subject);
    tbs.put(spkiDer);
    tbs.header(EXTENSIONS, contextLength);
    tbs.header(Tag.sequence, extensionsLength);
    tbs.put(extensions);
    tbs.put(subjectKeyId(spkiDer));
    tbs.put(this.#authorityKeyId);
    tbs.header(Tag.sequence, sanExtensionLength);
    tbs.put(SAN_OID);
    tbs.header(Tag.octetString, sanLength);
    tbs.header(Tag.sequence, namesLength);
    tbs.header(SAN_URI, spiffeId.length);
    tbs.ascii(spiffeId);
    for (const name of dnsNames) {
      tbs.header(SAN_DNS, name.length);
      tbs.ascii(name);
    }
    return tbs.finish();
  }

  // All certificates of one second and one lifetime share it.
  #validityOf(notBefore: Date, notAfter: Date): Uint8Array {
    const [from, to] = [notBefore.getTime(), notAfter.getTime()];
    if (this.#validity?.from !== from || this.#validity.to !== to) {
      this.#validity = { from, to, der: der.sequence(der.time(notBefore), der.time(notAfter)) };
    }
    return this.#validity.der;
  }
}

/** Puts a signature to what was signed: the Certificate. `tbsDer` goes in as it is, byte for byte. */
export function assembleCertificate(
  tbsDer: Uint8Array,
  signatureAlgorithmDer: Uint8Array,
  signature: Uint8Array,
): Uint8Array {
  const bits = signature.length + 1;
  const length = tbsDer.length + signatureAlgorithmDer.length + elementLength(bits);
  const certificate = new DerBuffer(elementLength(length));
  certificate.header(Tag.sequence, length);
  certificate.put(tbsDer);
  certificate.put(signatureAlgorithmDer);
  certificate.header(Tag.bitString, bits);
  certificate.put(NO_UNUSED_BITS);
  certificate.put(signature);
  return certificate.finish();
}

const NO_UNUSED_BITS = Uint8Array.of(0);

function subjectOf(dnsNames: readonly string[]): Uint8Array {
  const commonName = commonNameOf(dnsNames);
  return commonName === undefined ? SUBJECT : distinguishedName({ ...SUBJECT_BASE, commonName });
}

/** Key usage, extended key usage, basic constraints, and the subject key identifier up to its octets. */
function leadingExtensions(isRsa: boolean): Uint8Array {
  const bits = SVID_PROFILE.keyUsage(isRsa).map((name) => keyUsageNames.indexOf(name));
  const usages = der.sequence(...SVID_PROFILE.extKeyUsages.map(der.oid));
  const keyId = der.octetString(new Uint8Array(KEY_ID_BYTES));
  return Buffer.concat([
    extension(ExtensionOid.keyUsage, der.namedBits(...bits), true),
    extension(ExtensionOid.extKeyUsage, usages),
    extension(ExtensionOid.basicConstraints, der.sequence(), true),
    extension(ExtensionOid.subjectKeyIdentifier, keyId).subarray(0, -KEY_ID_BYTES),
  ]);
}

function extension(oid: string, value: Uint8Array, critical = false): Uint8Array {
  const flag = critical ? [der.boolean(true)] : [];
  return der.sequence(der.oid(oid), ...flag, der.octetString(value));
}
