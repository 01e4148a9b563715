import { hash } from "node:crypto";
import { bytesEqual } from "../../spiffe/x509/bytes.ts";
import { contextConstructed, DerReader, Tag } from "../../spiffe/x509/der.ts";
import { distinguishedName } from "../../spiffe/x509/distinguished-name.ts";
import {
  type Extension,
  parseAuthorityKeyIdentifier,
  parseBasicConstraints,
  parseExtKeyUsage,
  parseKeyUsage,
  parseSubjectKeyIdentifier,
  readExtensions,
} from "../../spiffe/x509/extensions.ts";
import { parseSubjectAltName } from "../../spiffe/x509/general-names.ts";
import { ExtensionOid } from "../../spiffe/x509/oids.ts";
import {
  commonNameOf,
  SUBJECT_BASE,
  SVID_PROFILE,
  type SvidFields,
} from "./certificate-profile.ts";
import type { IssuerParts } from "./svid-template.ts";

/** What we were about to sign is not what the profile allows or the order says. Always a fault of ours. */
export class ProfileError extends Error {
  override readonly name = "ProfileError";
}

const VERSION_3 = 2;

/**
 * Reads a to-be-signed certificate back, by a reader that shares nothing with the template that wrote it, and refuses whatever is not
 * exactly what was ordered: another name, key or time, an extension more or less, a certificate that could sign others.
 *
 * @throws {ProfileError}
 * @throws {SpiffeError} when it is not even DER
 */
export function checkSvidTbs(tbsDer: Uint8Array, issuer: IssuerParts, fields: SvidFields): void {
  const outer = new DerReader(tbsDer);
  const tbs = outer.sequence();
  outer.finish();
  const version = tbs.enter(contextConstructed(0));
  expect(version.smallInteger() === VERSION_3, "version");
  version.finish();
  const serial = tbs.integer();
  expect(bytesEqual(serial, fields.serial), "serial number");
  expect((serial[0] ?? 0xff) < 0x80 && serial.length <= 20, "serial number");
  expectBytes(tbs.unreadElement(Tag.sequence), issuer.signatureAlgorithmDer, "algorithm");
  expectBytes(tbs.unreadElement(Tag.sequence), issuer.issuerDer, "issuer");
  const validity = tbs.sequence();
  expect(validity.time().getTime() === fields.notBefore.getTime(), "beginning");
  expect(validity.time().getTime() === fields.notAfter.getTime(), "end");
  expect(fields.notBefore.getTime() < fields.notAfter.getTime(), "validity");
  validity.finish();
  expectBytes(tbs.unreadElement(Tag.sequence), expectedSubject(fields), "subject");
  const spkiDer = tbs.unreadElement(Tag.sequence);
  expectBytes(spkiDer, fields.spkiDer, "public key");
  const holder = tbs.enter(contextConstructed(3));
  checkExtensions(readExtensions(holder), issuer, fields, spkiDer);
  holder.finish();
  tbs.finish();
}

const EXTENSION_COUNT = 6;

function checkExtensions(
  extensions: ReadonlyMap<string, Extension>,
  issuer: IssuerParts,
  fields: SvidFields,
  spkiDer: Uint8Array,
): void {
  const valueFrom = (oid: string, critical: boolean): Uint8Array => {
    const extension = extensions.get(oid);
    if (extension === undefined || extension.critical !== critical) {
      throw new ProfileError(`certificate profile: extension ${oid}`);
    }
    return extension.value;
  };
  expect(extensions.size === EXTENSION_COUNT, "extensions");
  const keyUsage = parseKeyUsage(valueFrom(ExtensionOid.keyUsage, true));
  const allowed = SVID_PROFILE.keyUsage(fields.isRsa);
  expect(
    keyUsage.size === allowed.length && allowed.every((one) => keyUsage.has(one)),
    "key usage",
  );
  const extKeyUsages = parseExtKeyUsage(valueFrom(ExtensionOid.extKeyUsage, false));
  expect(sameTexts(extKeyUsages, SVID_PROFILE.extKeyUsages), "extended key usage");
  const { isCa, pathLength } = parseBasicConstraints(
    valueFrom(ExtensionOid.basicConstraints, true),
  );
  expect(!isCa && pathLength === undefined, "basic constraints");
  const ski = parseSubjectKeyIdentifier(valueFrom(ExtensionOid.subjectKeyIdentifier, false));
  expectBytes(ski, keyIdentifierOf(spkiDer), "subject key identifier");
  const aki = parseAuthorityKeyIdentifier(valueFrom(ExtensionOid.authorityKeyIdentifier, false));
  expect(aki !== undefined && bytesEqual(aki, issuer.authorityKeyId), "authority key identifier");
  const names = parseSubjectAltName(valueFrom(ExtensionOid.subjectAltName, false));
  const expected = [`uri ${fields.spiffeId}`, ...fields.dnsNames.map((name) => `dns ${name}`)];
  expect(
    sameTexts(
      names.map(({ kind, text }) => `${kind} ${text}`),
      expected,
    ),
    "alternative names",
  );
}

const SUBJECT = distinguishedName(SUBJECT_BASE);

function expectedSubject({ dnsNames }: SvidFields): Uint8Array {
  const commonName = commonNameOf(dnsNames);
  return commonName === undefined ? SUBJECT : distinguishedName({ ...SUBJECT_BASE, commonName });
}

function keyIdentifierOf(spkiDer: Uint8Array): Uint8Array {
  const spki = new DerReader(spkiDer).sequence();
  spki.skip(Tag.sequence);
  const key = spki.octetsInBitString();
  spki.finish();
  return hash("sha1", key, "buffer");
}

function sameTexts(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((text, index) => text === b[index]);
}

function expectBytes(actual: Uint8Array, expected: Uint8Array, what: string): void {
  expect(bytesEqual(actual, expected), what);
}

function expect(holds: boolean, what: string): void {
  if (!holds) throw new ProfileError(`certificate profile: ${what}`);
}
