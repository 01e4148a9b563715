import { hash, type KeyObject } from "node:crypto";
import { Certificate } from "../../spiffe/x509/certificate.ts";
import * as der from "../../spiffe/x509/der-writer.ts";
import type { KeyHandle } from "../keymanager/key-manager.ts";
import { type JwsAlgorithm, type KeyType, schemeOf } from "../keymanager/key-type.ts";
import type { AuthorityRecord } from "../store/records.ts";
import { type IssuerParts, SvidTemplate } from "./svid-template.ts";

/** An authority that can sign here: its record and the use of its key. */
export interface SigningAuthority {
  /** Hexadecimal subject key identifier for X.509, key ID for tokens. */
  readonly id: string;
  readonly notBefore: Date;
  readonly notAfter: Date;
  readonly key: KeyHandle;
}

/** Signs certificates. */
export interface X509Authority extends SigningAuthority {
  readonly certificate: Certificate;
  /** What stands between a leaf and the root, nearest to the leaf first; empty for a self-signed authority. */
  readonly intermediatesDer: readonly Uint8Array[];
  readonly issuer: IssuerParts;
  readonly template: SvidTemplate;
}

/** Signs JWT-SVIDs or WIT-SVIDs. */
export interface TokenAuthority extends SigningAuthority {
  readonly algorithm: JwsAlgorithm;
}

/** The authorities that sign at present; absent while there is none. */
export interface ActiveAuthorities {
  readonly x509?: X509Authority;
  /** The default one of those below. */
  readonly jwt?: TokenAuthority;
  readonly jwtByAlgorithm: ReadonlyMap<JwsAlgorithm, TokenAuthority>;
  readonly wit?: TokenAuthority;
}

/** @throws {Error} when certificate and key do not belong together */
export function openX509Authority(record: AuthorityRecord, key: KeyHandle): X509Authority {
  const [own, ...above] = record.certificateChainDer;
  if (own === undefined) throw new Error(`authority ${record.id} has no certificate`);
  const certificate = Certificate.parse(own);
  checkKey(record, key, certificate.publicKey);
  const { subjectKeyId } = certificate;
  if (subjectKeyId === undefined) throw new Error(`authority ${record.id} has no key identifier`);
  const issuer: IssuerParts = {
    issuerDer: certificate.subjectDer,
    authorityKeyId: subjectKeyId,
    signatureAlgorithmDer: signatureAlgorithmDer(key.type),
  };
  return {
    ...lifeOf(record),
    key,
    certificate,
    // A self-signed authority is in the bundle and not in chains; any other is the first link of them.
    intermediatesDer: certificate.isSelfIssued ? [] : [own, ...above],
    issuer,
    template: new SvidTemplate(issuer),
  };
}

/** @throws {Error} when record and key do not belong together */
export function openTokenAuthority(record: AuthorityRecord, key: KeyHandle): TokenAuthority {
  checkKey(record, key, key.publicKey);
  return { ...lifeOf(record), key, algorithm: schemeOf(key.type).jws };
}

/** The AlgorithmIdentifier of signatures by a kind of key: RSA with NULL parameters, ECDSA without any (RFC 4055 5, RFC 5758 3.2). */
export function signatureAlgorithmDer(type: KeyType): Uint8Array {
  const oid = der.oid(schemeOf(type).x509Oid);
  return type.startsWith("rsa") ? der.sequence(oid, der.nullValue()) : der.sequence(oid);
}

/** The SubjectPublicKeyInfo of a key. */
export function spkiOf(publicKey: KeyObject): Uint8Array {
  return publicKey.export({ format: "der", type: "spki" });
}

/** The ID of a token authority: the first half of the SHA-256 of its SubjectPublicKeyInfo, in hexadecimal. */
export function keyIdOf(publicKey: KeyObject): string {
  return hash("sha256", spkiOf(publicKey), "hex").slice(0, 32);
}

function lifeOf({ id, notBefore, notAfter }: AuthorityRecord): Omit<SigningAuthority, "key"> {
  return { id, notBefore: new Date(notBefore * 1000), notAfter: new Date(notAfter * 1000) };
}

function checkKey(record: AuthorityRecord, key: KeyHandle, certified: KeyObject): void {
  const recorded = Buffer.from(record.publicKeyDer);
  if (recorded.equals(spkiOf(key.publicKey)) && certified.equals(key.publicKey)) return;
  throw new Error(
    `key ${record.keyRef} is not the key of ${record.kind} authority ${record.id}: ` +
      "the key folder and the store do not belong together; restore both from one backup",
  );
}
