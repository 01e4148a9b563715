import { createHash, createHmac, type KeyObject } from "node:crypto";
import type { Random } from "../../runtime/random.ts";
import type { Certificate } from "./certificate.ts";
import * as der from "./der-writer.ts";
import { ExtKeyUsageOid, HashOid } from "./oids.ts";

/** What goes into a PKCS#12 file. */
export interface Pkcs12Content {
  /** A private key with its certificates, leaf first. */
  readonly identity?: {
    readonly privateKey: KeyObject;
    readonly certificates: readonly Certificate[];
  };
  /** CA certificates. They carry Java's mark of trust, without which a Java trust store shows none of them. */
  readonly trusted?: readonly Certificate[];
  /** Name of the identity in the file; that of trusted certificates is made from it. */
  readonly alias: string;
}

const PkcsOid = {
  data: "1.2.840.113549.1.7.1",
  friendlyName: "1.2.840.113549.1.9.20",
  localKeyId: "1.2.840.113549.1.9.21",
  x509Certificate: "1.2.840.113549.1.9.22.1",
  shroudedKeyBag: "1.2.840.113549.1.12.10.1.2",
  certBag: "1.2.840.113549.1.12.10.1.3",
  /** Oracle's TrustedKeyUsage: which uses a certificate is trusted for. */
  javaTrustedUsage: "2.16.840.1.113894.746875.1.1",
} as const;

const BMP_STRING = 0x1e;
const MAC_ITERATIONS = 10_000;
const SALT_BYTES = 16;
/** Input block of SHA-256. */
const BLOCK_BYTES = 64;

/**
 * Writes a PKCS#12 file (RFC 7292): the key encrypted by PBES2 with AES-256-CBC, everything protected by an HMAC with SHA-256.
 * Certificates are public and stand in clear. OpenSSL 3 and Java from 8u301 on read it.
 *
 * @param password of the file; ASCII, since OpenSSL and Java disagree about anything else
 */
export function formatPkcs12(
  { identity, trusted = [], alias }: Pkcs12Content,
  password: string,
  random: Random,
): Uint8Array {
  const certificates = [
    ...(identity === undefined ? [] : identityCertificates(identity.certificates, alias)),
    ...trusted.map((certificate, index) =>
      certBag(certificate, [friendlyName(`${alias}-ca-${index + 1}`), javaTrust()]),
    ),
  ];
  const contents = [dataInfo(der.sequence(...certificates))];
  if (identity !== undefined) {
    const shrouded = shroud(identity.privateKey, password);
    const keyId = localKeyId(identity.certificates);
    const bag = safeBag(PkcsOid.shroudedKeyBag, shrouded, [friendlyName(alias), keyId]);
    contents.push(dataInfo(der.sequence(bag)));
  }
  const authenticatedSafe = der.sequence(...contents);
  return der.sequence(
    der.integer(3),
    dataInfo(authenticatedSafe),
    macData(authenticatedSafe, password, random.bytes(SALT_BYTES)),
  );
}

function identityCertificates(
  certificates: readonly Certificate[],
  alias: string,
): readonly Uint8Array[] {
  return certificates.map((certificate, index) =>
    certBag(certificate, index === 0 ? [friendlyName(alias), localKeyId(certificates)] : []),
  );
}

function certBag(certificate: Certificate, attributes: readonly Uint8Array[]): Uint8Array {
  const value = der.sequence(
    der.oid(PkcsOid.x509Certificate),
    der.context(0, der.octetString(certificate.der)),
  );
  return safeBag(PkcsOid.certBag, value, attributes);
}

function safeBag(oid: string, value: Uint8Array, attributes: readonly Uint8Array[]): Uint8Array {
  const set = attributes.length === 0 ? [] : [der.setOf(...attributes)];
  return der.sequence(der.oid(oid), der.context(0, value), ...set);
}

function shroud(privateKey: KeyObject, passphrase: string): Uint8Array {
  return privateKey.export({ type: "pkcs8", format: "der", cipher: "aes-256-cbc", passphrase });
}

function friendlyName(name: string): Uint8Array {
  return attribute(PkcsOid.friendlyName, der.element(BMP_STRING, bigEndian(name)));
}

/** What ties a key to its certificate: by custom a hash of the latter. */
function localKeyId([leaf]: readonly Certificate[]): Uint8Array {
  const id = createHash("sha1")
    .update(leaf?.der ?? new Uint8Array())
    .digest();
  return attribute(PkcsOid.localKeyId, der.octetString(id));
}

function javaTrust(): Uint8Array {
  return attribute(PkcsOid.javaTrustedUsage, der.oid(ExtKeyUsageOid.any));
}

function attribute(oid: string, value: Uint8Array): Uint8Array {
  return der.sequence(der.oid(oid), der.setOf(value));
}

function dataInfo(content: Uint8Array): Uint8Array {
  return der.sequence(der.oid(PkcsOid.data), der.context(0, der.octetString(content)));
}

function macData(content: Uint8Array, password: string, salt: Uint8Array): Uint8Array {
  const mac = createHmac("sha256", macKey(password, salt)).update(content).digest();
  const algorithm = der.sequence(der.oid(HashOid.sha256), der.nullValue());
  return der.sequence(
    der.sequence(algorithm, der.octetString(mac)),
    der.octetString(salt),
    der.integer(MAC_ITERATIONS),
  );
}

/** Key derivation of RFC 7292 appendix B.2 for a MAC (ID 3). The 32 bytes of one SHA-256 are enough, so it ends after one round. */
function macKey(password: string, salt: Uint8Array): Uint8Array {
  const diversifier = Buffer.alloc(BLOCK_BYTES, 3);
  const secret = Buffer.concat([bigEndian(password), Buffer.alloc(2)]);
  let digest = createHash("sha256")
    .update(diversifier)
    .update(repeated(salt))
    .update(repeated(secret))
    .digest();
  for (let i = 1; i < MAC_ITERATIONS; i++) digest = createHash("sha256").update(digest).digest();
  return digest;
}

/** The bytes again and again, to the end of a block. */
function repeated(bytes: Uint8Array): Buffer {
  const length = Math.ceil(bytes.length / BLOCK_BYTES) * BLOCK_BYTES;
  return Buffer.from(Array.from({ length }, (_, i) => bytes[i % bytes.length] ?? 0));
}

function bigEndian(text: string): Buffer {
  return Buffer.from(text, "utf16le").swap16();
}
