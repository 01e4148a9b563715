// Certificates of any shape, right or wrong. A test names only what differs from a good one.

import { constants, generateKeyPairSync, type KeyObject, sign } from "node:crypto";
import { Certificate } from "../../spiffe/x509/certificate.ts";
import * as der from "../../spiffe/x509/der-writer.ts";
import { distinguishedName, type NameParts } from "../../spiffe/x509/distinguished-name.ts";
import { type KeyUsageName, keyUsageNames } from "../../spiffe/x509/extensions.ts";
import { ExtensionOid, ExtKeyUsageOid, HashOid, SignatureOid } from "../../spiffe/x509/oids.ts";

/** The instant at which everything made here is valid unless told otherwise. */
export const testNow: Date = new Date("2026-06-01T12:00:00Z");

/** An instant so many seconds after (or before) testNow. */
export function secondsFromNow(seconds: number): Date {
  return new Date(testNow.getTime() + seconds * 1000);
}

export interface KeyPair {
  readonly publicKey: KeyObject;
  readonly privateKey: KeyObject;
}

export type TestKeyType = "P-224" | "P-256" | "P-384" | "P-521" | "ed25519" | `rsa-${number}`;

export function testKey(type: TestKeyType = "P-256"): KeyPair {
  if (type === "ed25519") return generateKeyPairSync("ed25519");
  if (type.startsWith("rsa-")) {
    return generateKeyPairSync("rsa", { modulusLength: Number(type.slice(4)) });
  }
  return generateKeyPairSync("ec", { namedCurve: type });
}

/** One Extension element. */
export function extension(oid: string, value: Uint8Array, critical = false): Uint8Array {
  const flag = critical ? [der.boolean(true)] : [];
  return der.sequence(der.oid(oid), ...flag, der.octetString(value));
}

export function basicConstraints(ca: boolean, pathLength?: number): Uint8Array {
  const parts = ca ? [der.boolean(true)] : [];
  if (pathLength !== undefined) parts.push(der.integer(pathLength));
  return extension(ExtensionOid.basicConstraints, der.sequence(...parts), true);
}

export function keyUsage(...names: readonly KeyUsageName[]): Uint8Array {
  const bits = der.namedBits(...names.map((name) => keyUsageNames.indexOf(name)));
  return extension(ExtensionOid.keyUsage, bits, true);
}

export function extKeyUsage(...oids: readonly string[]): Uint8Array {
  return extension(ExtensionOid.extKeyUsage, der.sequence(...oids.map(der.oid)));
}

export function uriName(text: string | Uint8Array): Uint8Array {
  return der.contextValue(6, typeof text === "string" ? Buffer.from(text, "utf8") : text);
}

export function dnsName(text: string): Uint8Array {
  return der.contextValue(2, der.asciiBytes(text));
}

export function ipAddress(...octets: readonly number[]): Uint8Array {
  return der.contextValue(7, Uint8Array.from(octets));
}

export function subjectAltName(names: readonly Uint8Array[], critical = true): Uint8Array {
  return extension(ExtensionOid.subjectAltName, der.sequence(...names), critical);
}

/** A subject alternative name with one URI. */
export function uriSan(text: string | Uint8Array): Uint8Array {
  return subjectAltName([uriName(text)]);
}

export function nameConstraints(
  permitted: readonly Uint8Array[],
  excluded: readonly Uint8Array[] = [],
): Uint8Array {
  const list = (number: number, names: readonly Uint8Array[]): Uint8Array[] =>
    names.length === 0 ? [] : [der.context(number, ...names.map((name) => der.sequence(name)))];
  const value = der.sequence(...list(0, permitted), ...list(1, excluded));
  return extension(ExtensionOid.nameConstraints, value, true);
}

/** How a certificate is signed: the AlgorithmIdentifier, and the way to make the signature. */
export interface TestSignature {
  readonly identifier: Uint8Array;
  sign(data: Uint8Array, key: KeyObject): Uint8Array;
}

export const ecdsaSha256: TestSignature = {
  identifier: der.sequence(der.oid(SignatureOid.ecdsaWithSha256)),
  sign: (data, key) => sign("sha256", data, key),
};
export const ecdsaSha1: TestSignature = {
  identifier: der.sequence(der.oid(SignatureOid.ecdsaWithSha1)),
  sign: (data, key) => sign("sha1", data, key),
};
export const rsaSha256: TestSignature = {
  identifier: der.sequence(der.oid(SignatureOid.sha256WithRsa), der.nullValue()),
  sign: (data, key) => sign("sha256", data, key),
};
export const ed25519: TestSignature = {
  identifier: der.sequence(der.oid(SignatureOid.ed25519)),
  sign: (data, key) => sign(null, data, key),
};
const sha256 = der.sequence(der.oid(HashOid.sha256), der.nullValue());
export const rsaPssSha256: TestSignature = {
  identifier: der.sequence(
    der.oid(SignatureOid.rsaPss),
    der.sequence(
      der.context(0, sha256),
      der.context(1, der.sequence(der.oid(HashOid.mgf1), sha256)),
      der.context(2, der.integer(32)),
    ),
  ),
  sign: (data, key) =>
    sign("sha256", data, { key, padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: 32 }),
};

/** What of a certificate can differ. `undefined` for an extension leaves it out. */
export interface Shape {
  readonly subject?: NameParts;
  readonly subjectAltName?: Uint8Array | undefined;
  readonly basicConstraints?: Uint8Array | undefined;
  readonly keyUsage?: Uint8Array | undefined;
  readonly extKeyUsage?: Uint8Array | undefined;
  readonly extra?: readonly Uint8Array[];
  readonly notBefore?: Date;
  readonly notAfter?: Date;
  readonly key?: KeyPair;
  readonly signature?: TestSignature;
}

/** A certificate and its key. The DER may be of a kind that no parser takes. */
export interface Issued extends KeyPair {
  readonly der: Uint8Array;
}

const leafShape: Shape = {
  subjectAltName: uriSan("spiffe://td.test/w"),
  basicConstraints: basicConstraints(false),
  keyUsage: keyUsage("digitalSignature"),
  extKeyUsage: extKeyUsage(ExtKeyUsageOid.serverAuth, ExtKeyUsageOid.clientAuth),
};

const authorityShape: Shape = {
  subjectAltName: subjectAltName([uriName("spiffe://td.test")], false),
  basicConstraints: basicConstraints(true),
  keyUsage: keyUsage("keyCertSign", "cRLSign"),
};

/** A CA that issues whatever it is asked for. */
export class TestAuthority implements Issued {
  readonly name: NameParts;
  readonly der: Uint8Array;
  readonly publicKey: KeyObject;
  readonly privateKey: KeyObject;

  private constructor(name: NameParts, issued: Issued) {
    this.name = name;
    this.der = issued.der;
    this.publicKey = issued.publicKey;
    this.privateKey = issued.privateKey;
  }

  /** A self-signed CA of trust domain td.test, unless its shape says otherwise. */
  static root(shape: Shape = {}, commonName = "root"): TestAuthority {
    const name = shape.subject ?? { commonName };
    const key = shape.key ?? testKey();
    return new TestAuthority(
      name,
      issue(name, key, { ...authorityShape, ...shape, subject: name, key }),
    );
  }

  /** A CA below this one. */
  intermediate(shape: Shape = {}, commonName = "intermediate"): TestAuthority {
    const name = shape.subject ?? { commonName };
    return new TestAuthority(
      name,
      issue(this.name, this, { ...authorityShape, ...shape, subject: name }),
    );
  }

  /** A leaf with ID spiffe://td.test/w, unless its shape says otherwise. */
  leaf(shape: Shape = {}): Issued {
    return issue(this.name, this, { ...leafShape, ...shape });
  }

  get certificate(): Certificate {
    return Certificate.parse(this.der);
  }
}

/** A leaf that signed itself. */
export function selfSignedLeaf(shape: Shape = {}): Issued {
  const key = shape.key ?? testKey();
  const subject = shape.subject ?? { commonName: "leaf" };
  return issue(subject, key, { ...leafShape, ...shape, subject, key });
}

let lastSerialNumber = 0;

function issue(issuer: NameParts, signer: KeyPair, shape: Shape): Issued {
  const key = shape.key ?? testKey();
  const signature = shape.signature ?? usualSignature(signer.privateKey);
  const extensions = [
    shape.basicConstraints,
    shape.keyUsage,
    shape.extKeyUsage,
    shape.subjectAltName,
    ...(shape.extra ?? []),
  ].filter((value) => value !== undefined);
  const tbs = der.sequence(
    der.context(0, der.integer(2)),
    der.integer(++lastSerialNumber),
    signature.identifier,
    distinguishedName(issuer),
    der.sequence(
      der.time(shape.notBefore ?? secondsFromNow(-3600)),
      der.time(shape.notAfter ?? secondsFromNow(3600)),
    ),
    distinguishedName(shape.subject ?? {}),
    key.publicKey.export({ format: "der", type: "spki" }),
    ...(extensions.length === 0 ? [] : [der.context(3, der.sequence(...extensions))]),
  );
  const value = der.bitString(signature.sign(tbs, signer.privateKey));
  return { ...pick(key), der: der.sequence(tbs, signature.identifier, value) };
}

function pick({ publicKey, privateKey }: KeyPair): KeyPair {
  return { publicKey, privateKey };
}

function usualSignature(key: KeyObject): TestSignature {
  switch (key.asymmetricKeyType) {
    case "rsa":
      return rsaSha256;
    case "ed25519":
      return ed25519;
    default:
      return ecdsaSha256;
  }
}
