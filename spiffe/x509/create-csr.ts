import { constants, createPublicKey, type KeyObject, sign } from "node:crypto";
import type { SpiffeId } from "../id/spiffe-id.ts";
import * as der from "./der-writer.ts";
import { distinguishedName, type NameParts } from "./distinguished-name.ts";
import { EXTENSION_REQUEST_OID, ExtensionOid, SignatureOid } from "./oids.ts";

const SPKI_DER = { format: "der", type: "spki" } as const;
const VERSION_1 = 0;
const SAN_DNS = 2;
const SAN_URI = 6;

/** What a certificate request asks for. Without `subject` the name is empty; without names there is no SAN. */
export interface CsrRequest {
  /** An EC (P-256, P-384, P-521), RSA or Ed25519 private key. */
  readonly privateKey: KeyObject;
  /** SubjectPublicKeyInfo of that key, from whoever has it at hand: exporting it takes as long as signing. */
  readonly spkiDer?: Uint8Array;
  readonly subject?: NameParts;
  readonly spiffeId?: SpiffeId;
  readonly dnsNames?: readonly string[];
}

/**
 * Makes a PKCS#10 certificate request (RFC 2986), signed with the key it carries.
 *
 * @returns DER
 * @throws {TypeError} when the key is of a type that we do not use
 */
export function createCsr(request: CsrRequest): Uint8Array {
  const { privateKey } = request;
  const { hash, identifier } = signatureFor(privateKey);
  const spki = request.spkiDer ?? createPublicKey(privateKey).export(SPKI_DER);
  const info = der.sequence(
    der.integer(VERSION_1),
    distinguishedName(request.subject ?? {}),
    spki,
    der.context(0, ...attributes(request)),
  );
  const key = { key: privateKey, padding: constants.RSA_PKCS1_PADDING };
  const signature = sign(hash, info, privateKey.asymmetricKeyType === "rsa" ? key : privateKey);
  return der.sequence(info, identifier, der.bitString(signature));
}

function attributes({ spiffeId, dnsNames = [] }: CsrRequest): Uint8Array[] {
  const names = dnsNames.map((name) => der.contextValue(SAN_DNS, der.asciiBytes(name)));
  if (spiffeId !== undefined) {
    names.unshift(der.contextValue(SAN_URI, der.asciiBytes(spiffeId.toString())));
  }
  if (names.length === 0) return [];
  const extension = der.sequence(
    der.oid(ExtensionOid.subjectAltName),
    der.octetString(der.sequence(...names)),
  );
  return [der.sequence(der.oid(EXTENSION_REQUEST_OID), der.setOf(der.sequence(extension)))];
}

function signatureFor(key: KeyObject): { hash: string | null; identifier: Uint8Array } {
  switch (key.asymmetricKeyType) {
    case "ec":
      return ecdsaFor(key.asymmetricKeyDetails?.namedCurve);
    case "rsa":
      return {
        hash: "sha256",
        identifier: der.sequence(der.oid(SignatureOid.sha256WithRsa), der.nullValue()),
      };
    case "ed25519":
      return { hash: null, identifier: der.sequence(der.oid(SignatureOid.ed25519)) };
    default:
      throw new TypeError(`no certificate request for a key of type ${key.asymmetricKeyType}`);
  }
}

function ecdsaFor(curve: string | undefined): { hash: string; identifier: Uint8Array } {
  switch (curve) {
    case "prime256v1":
      return { hash: "sha256", identifier: der.sequence(der.oid(SignatureOid.ecdsaWithSha256)) };
    case "secp384r1":
      return { hash: "sha384", identifier: der.sequence(der.oid(SignatureOid.ecdsaWithSha384)) };
    case "secp521r1":
      return { hash: "sha512", identifier: der.sequence(der.oid(SignatureOid.ecdsaWithSha512)) };
    default:
      throw new TypeError(`no certificate request for curve ${curve}`);
  }
}
