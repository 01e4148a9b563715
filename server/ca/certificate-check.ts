import { hash } from "node:crypto";
import { bytesEqual } from "../../spiffe/x509/bytes.ts";
import { contextConstructed, contextPrimitive, DerReader, Tag } from "../../spiffe/x509/der.ts";
import { commonNameOf, type SvidFields } from "./certificate-profile.ts";
import type { IssuerParts } from "./svid-template.ts";

/** What we were about to sign is not what the profile allows or the order says. Always a fault of ours. */
export class ProfileError extends Error {
  override readonly name = "ProfileError";
}

/**
 * Reads a to-be-signed certificate back and refuses whatever is not exactly what was ordered: another name, key or time, an extension
 * more or less, a certificate that could sign others. It shares no code and no bytes with the template that wrote it: what is the same
 * in all certificates stands here a second time, written out by hand.
 *
 * @throws {ProfileError}
 * @throws {SpiffeError} when it is not even DER
 */
export function checkSvidTbs(tbsDer: Uint8Array, issuer: IssuerParts, fields: SvidFields): void {
  const outer = new DerReader(tbsDer);
  const tbs = outer.sequence();
  outer.finish();
  expectBytes(tbs.unreadElement(VERSION_TAG), VERSION_3, "version");
  const serial = tbs.integer();
  expectBytes(serial, fields.serial, "serial number");
  expect((serial[0] ?? 0xff) < 0x80 && serial.length <= 20, "serial number");
  expectBytes(tbs.unreadElement(Tag.sequence), issuer.signatureAlgorithmDer, "algorithm");
  expectBytes(tbs.unreadElement(Tag.sequence), issuer.issuerDer, "issuer");
  checkValidity(tbs.sequence(), fields);
  checkSubject(tbs.sequence(), fields.dnsNames);
  expectBytes(tbs.unreadElement(Tag.sequence), fields.spkiDer, "public key");
  const holder = tbs.enter(EXTENSIONS_TAG);
  tbs.finish();
  checkExtensions(holder.sequence(), issuer, fields);
  holder.finish();
}

const VERSION_TAG = contextConstructed(0);
const EXTENSIONS_TAG = contextConstructed(3);
const KEY_ID_TAG = contextPrimitive(0);
const URI_TAG = contextPrimitive(6);
const DNS_TAG = contextPrimitive(2);

const VERSION_3 = hex("a003020102");
const COUNTRY = hex("310b3009060355040613025553");
const ORGANIZATION = hex("310e300c060355040a0c054173736179");
const COMMON_NAME_OID = hex("550403");
/** Critical; digitalSignature, and for RSA keyEncipherment too. */
const KEY_USAGE_EC = hex("300e0603551d0f0101ff040403020780");
const KEY_USAGE_RSA = hex("300e0603551d0f0101ff0404030205a0");
/** serverAuth and clientAuth. */
const EXT_KEY_USAGE = hex("301d0603551d250416301406082b0601050507030106082b06010505070302");
/** Critical; cA FALSE by default, no path length. */
const BASIC_CONSTRAINTS = hex("300c0603551d130101ff04023000");
const SUBJECT_KEY_ID_OID = hex("551d0e");
const AUTHORITY_KEY_ID_OID = hex("551d23");
const ALTERNATIVE_NAME_OID = hex("551d11");

function checkValidity(validity: DerReader, { notBefore, notAfter }: SvidFields): void {
  expect(validity.time().getTime() === notBefore.getTime(), "beginning");
  expect(validity.time().getTime() === notAfter.getTime(), "end");
  expect(notBefore.getTime() < notAfter.getTime(), "validity");
  validity.finish();
}

function checkSubject(subject: DerReader, dnsNames: readonly string[]): void {
  expectBytes(subject.unreadElement(Tag.set), COUNTRY, "subject");
  expectBytes(subject.unreadElement(Tag.set), ORGANIZATION, "subject");
  const commonName = commonNameOf(dnsNames);
  if (commonName !== undefined) {
    const attribute = subject.set().sequence();
    expectBytes(attribute.content(Tag.oid), COMMON_NAME_OID, "subject");
    expectText(attribute.content(Tag.utf8String), commonName, "subject");
    attribute.finish();
  }
  subject.finish();
}

function checkExtensions(extensions: DerReader, issuer: IssuerParts, fields: SvidFields): void {
  const keyUsage = fields.isRsa ? KEY_USAGE_RSA : KEY_USAGE_EC;
  expectBytes(extensions.unreadElement(Tag.sequence), keyUsage, "key usage");
  expectBytes(extensions.unreadElement(Tag.sequence), EXT_KEY_USAGE, "extended key usage");
  expectBytes(extensions.unreadElement(Tag.sequence), BASIC_CONSTRAINTS, "basic constraints");
  const subjectKeyId = valueOfExtension(extensions, SUBJECT_KEY_ID_OID, "subject key identifier");
  const keyId = keyIdentifierOf(fields.spkiDer);
  expectBytes(subjectKeyId.octetString(), keyId, "subject key identifier");
  subjectKeyId.finish();
  const authority = valueOfExtension(extensions, AUTHORITY_KEY_ID_OID, "authority key identifier");
  const authorityKeyId = authority.sequence();
  authority.finish();
  const issuerKeyId = authorityKeyId.content(KEY_ID_TAG);
  expectBytes(issuerKeyId, issuer.authorityKeyId, "authority key identifier");
  authorityKeyId.finish();
  checkNames(valueOfExtension(extensions, ALTERNATIVE_NAME_OID, "alternative names"), fields);
  extensions.finish();
}

/** The URI first, and only one; then the DNS names in their order. Not critical, because there is a subject. */
function checkNames(value: DerReader, { spiffeId, dnsNames }: SvidFields): void {
  const names = value.sequence();
  value.finish();
  expectText(names.content(URI_TAG), spiffeId, "alternative names");
  for (const name of dnsNames) expectText(names.content(DNS_TAG), name, "alternative names");
  expect(names.atEnd, "alternative names");
}

/** Enters the next extension's value; the extension must have this OID and not be critical. */
function valueOfExtension(extensions: DerReader, oid: Uint8Array, what: string): DerReader {
  const extension = extensions.sequence();
  expectBytes(extension.content(Tag.oid), oid, what);
  const value = new DerReader(extension.octetString());
  extension.finish();
  return value;
}

function keyIdentifierOf(spkiDer: Uint8Array): Uint8Array {
  const spki = new DerReader(spkiDer).sequence();
  spki.unreadElement(Tag.sequence);
  const key = spki.octetsInBitString();
  spki.finish();
  return hash("sha1", key, "buffer");
}

function hex(text: string): Uint8Array {
  return Buffer.from(text, "hex");
}

function expectText(actual: Uint8Array, expected: string, what: string): void {
  expect(actual.length === expected.length, what);
  for (let at = 0; at < expected.length; at++) {
    expect(actual[at] === expected.charCodeAt(at), what);
  }
}

function expectBytes(actual: Uint8Array, expected: Uint8Array, what: string): void {
  expect(bytesEqual(actual, expected), what);
}

function expect(holds: boolean, what: string): void {
  if (!holds) throw new ProfileError(`certificate profile: ${what}`);
}
