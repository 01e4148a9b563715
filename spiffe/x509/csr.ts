import type { KeyObject } from "node:crypto";
import { SpiffeError } from "../error.ts";
import { contextConstructed, DerReader, Tag } from "./der.ts";
import { type Extension, readExtensions } from "./extensions.ts";
import { type GeneralName, parseSubjectAltName } from "./general-names.ts";
import { EXTENSION_REQUEST_OID, ExtensionOid } from "./oids.ts";
import { importPublicKey, type PublicKeyAlgorithm, parsePublicKeyAlgorithm } from "./public-key.ts";
import { parseSignatureAlgorithm, verifySignature } from "./signature-algorithm.ts";

export { type CsrRequest, createCsr } from "./create-csr.ts";

/** Largest certificate request in bytes that is read. */
export const MAX_CSR_BYTES: number = 16 * 1024;

/**
 * A PKCS#10 certificate request (RFC 2986). Parsing proves nothing: {@link Csr.verifySignature} does.
 *
 * Its byte arrays are views of the DER it was parsed from, which nobody may change.
 */
export class Csr {
  readonly der: Uint8Array;
  /** The Name element. */
  readonly subjectDer: Uint8Array;
  /** The SubjectPublicKeyInfo, a complete element. */
  readonly spkiDer: Uint8Array;
  /** All subject alternative names that are asked for, in order. */
  readonly subjectAltNames: readonly GeneralName[];

  readonly #infoDer: Uint8Array;
  readonly #signatureAlgorithmDer: Uint8Array;
  readonly #signature: Uint8Array;

  private constructor(der: Uint8Array) {
    const outer = new DerReader(der);
    const request = outer.sequence();
    outer.finish();
    this.der = der;
    this.#infoDer = request.unreadElement(Tag.sequence);
    this.#signatureAlgorithmDer = request.element(Tag.sequence);
    this.#signature = request.octetsInBitString();
    request.finish();

    const info = new DerReader(this.#infoDer).sequence();
    if (info.smallInteger() !== 0) throw malformed("the version must be 0");
    this.subjectDer = info.element(Tag.sequence);
    this.spkiDer = info.element(Tag.sequence);
    const extensions = readRequestedExtensions(info.enter(contextConstructed(0)));
    info.finish();
    const names = extensions.get(ExtensionOid.subjectAltName);
    this.subjectAltNames = names === undefined ? [] : parseSubjectAltName(names.value);
  }

  /** See {@link parseCsr}. */
  static parse(der: Uint8Array): Csr {
    if (der.length > MAX_CSR_BYTES) {
      throw new SpiffeError(
        "csr_too_large",
        `certificate request must not be larger than ${MAX_CSR_BYTES} bytes`,
      );
    }
    return new Csr(der);
  }

  /** URIs that are asked for, exactly as they stand in the request. */
  get uriSans(): readonly string[] {
    return this.#namesOf("uri");
  }

  /** DNS names that are asked for. */
  get dnsSans(): readonly string[] {
    return this.#namesOf("dns");
  }

  /**
   * The key that is to be certified, imported at each call: issuing needs its bytes only.
   *
   * @throws {SpiffeError} "public_key_unsupported"
   */
  get publicKey(): KeyObject {
    return importPublicKey(this.spkiDer);
  }

  /** What kind of key it is, without importing it. */
  get publicKeyAlgorithm(): PublicKeyAlgorithm {
    return parsePublicKeyAlgorithm(this.spkiDer);
  }

  /**
   * Whether the request was signed with the key it carries: the requester holds that key.
   *
   * @throws {SpiffeError} "signature_algorithm" | "public_key_unsupported"
   */
  verifySignature(): boolean {
    const algorithm = parseSignatureAlgorithm(this.#signatureAlgorithmDer);
    if (verifySignature(algorithm, this.spkiDer, this.#infoDer, this.#signature)) return true;
    // A key that cannot be imported deserves to be named as the reason.
    importPublicKey(this.spkiDer);
    return false;
  }

  #namesOf(wanted: GeneralName["kind"]): readonly string[] {
    return this.subjectAltNames.filter(({ kind }) => kind === wanted).map(({ text }) => text);
  }
}

/**
 * Reads exactly one certificate request of at most 16 KiB. Attributes that we do not know are passed over; none may
 * occur twice.
 *
 * @throws {SpiffeError} "csr_too_large" | "csr_malformed" | "der_malformed" | "certificate_extension" |
 *   "certificate_extension_duplicate"
 */
export function parseCsr(der: Uint8Array): Csr {
  return Csr.parse(der);
}

// Attributes (RFC 2986 4.1); the one of interest holds a list of extensions (RFC 2985 5.4.2).
function readRequestedExtensions(attributes: DerReader): ReadonlyMap<string, Extension> {
  const seen = new Set<string>();
  let extensions: ReadonlyMap<string, Extension> = new Map();
  while (!attributes.atEnd) {
    const attribute = attributes.sequence();
    const oid = attribute.oid();
    if (seen.has(oid)) throw malformed("an attribute occurs twice");
    seen.add(oid);
    if (oid === EXTENSION_REQUEST_OID) {
      const values = attribute.set();
      extensions = readExtensions(values);
      values.finish();
    } else {
      attribute.skip(Tag.set);
    }
    attribute.finish();
  }
  return extensions;
}

function malformed(message: string): SpiffeError {
  return new SpiffeError("csr_malformed", `certificate request is malformed: ${message}`);
}
