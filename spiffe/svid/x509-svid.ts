import { createPrivateKey, createPublicKey, type KeyObject } from "node:crypto";
import { SpiffeError } from "../error.ts";
import type { SpiffeId } from "../id/spiffe-id.ts";
import { asBuffer } from "../x509/bytes.ts";
import {
  type Certificate,
  concatenateCertificates,
  parseConcatenatedCertificates,
} from "../x509/certificate.ts";
import { contextConstructed, contextPrimitive, DerReader, Tag } from "../x509/der.ts";
import { checkOwnX509Svid } from "./x509-rules.ts";

/** The parts of an X509-SVID as the Workload API sends them. */
export interface X509SvidMaterial {
  /** Concatenated DER, leaf first. */
  readonly certificates: Uint8Array;
  /** Unencrypted PKCS#8, DER. */
  readonly privateKey: Uint8Array;
  /** The ID that came beside the certificates; it must be the one in the leaf. */
  readonly spiffeId?: SpiffeId;
  /** What the operator says this identity is for; empty means none. */
  readonly hint?: string;
}

/**
 * One's own X509-SVID: an ID, the certificates that prove it, and the private key. Immutable. Its form has been checked
 * (see {@link X509Svid.parse}), its signature and validity have not: those are for the peer to judge.
 */
export class X509Svid {
  readonly id: SpiffeId;
  /** Leaf first, then the intermediates. */
  readonly certificates: readonly [Certificate, ...Certificate[]];
  readonly privateKey: KeyObject;
  /** Empty when the operator gave none. */
  readonly hint: string;

  /**
   * Puts an SVID together from parts that are in memory.
   *
   * @throws {SpiffeError} "svid_private_key" when the key is not the leaf's, and the codes of checkOwnX509Svid
   */
  constructor(certificates: readonly Certificate[], privateKey: KeyObject, hint = "") {
    this.id = checkOwnX509Svid(certificates);
    const [leaf, ...signing] = certificates;
    if (leaf === undefined) throw new SpiffeError("svid_empty", "an X509-SVID needs a certificate");
    if (!createPublicKey(privateKey).equals(leaf.publicKey)) {
      throw privateKeyError("it is not the key of the certificate");
    }
    this.certificates = [leaf, ...signing];
    this.privateKey = privateKey;
    this.hint = hint;
  }

  /**
   * Reads an SVID that came from the Workload API, strictly: nothing around the certificates or the key, the leaf first,
   * the key in PKCS#8 and that of the leaf.
   *
   * @throws {SpiffeError} "svid_empty" | "svid_private_key" | "svid_id_mismatch", the codes for certificates and those of
   *   checkOwnX509Svid
   */
  static parse(material: X509SvidMaterial): X509Svid {
    const { spiffeId, hint } = material;
    const certificates = parseConcatenatedCertificates(material.certificates);
    const svid = new X509Svid(certificates, readPrivateKey(material.privateKey), hint);
    if (spiffeId !== undefined && !spiffeId.equals(svid.id)) {
      throw new SpiffeError("svid_id_mismatch", "SPIFFE ID is not the one in the certificate");
    }
    return svid;
  }

  get leaf(): Certificate {
    return this.certificates[0];
  }

  /** Concatenated DER, leaf first. */
  get certificatesDer(): Uint8Array {
    return concatenateCertificates(this.certificates);
  }

  /** Unencrypted PKCS#8, DER. */
  get privateKeyPkcs8(): Uint8Array {
    return this.privateKey.export({ format: "der", type: "pkcs8" });
  }
}

/** Where one's own X509-SVID is found: the latest one at each call. */
export interface X509SvidSource {
  x509Svid(): X509Svid;
}

function readPrivateKey(pkcs8: Uint8Array): KeyObject {
  if (!isPkcs8(pkcs8)) throw privateKeyError("it is not unencrypted PKCS#8");
  try {
    return createPrivateKey({ key: asBuffer(pkcs8), format: "der", type: "pkcs8" });
  } catch {
    throw privateKeyError("it is invalid or not supported");
  }
}

// The frame of PrivateKeyInfo (RFC 5958 2). OpenSSL would take other forms too, and pass over bytes at the end.
function isPkcs8(bytes: Uint8Array): boolean {
  try {
    const outer = new DerReader(bytes);
    const info = outer.sequence();
    outer.finish();
    info.smallInteger();
    info.skip(Tag.sequence);
    info.octetString();
    if (info.nextIs(contextConstructed(0))) info.skip();
    if (info.nextIs(contextPrimitive(1))) info.skip();
    info.finish();
    return true;
  } catch {
    return false;
  }
}

function privateKeyError(reason: string): SpiffeError {
  return new SpiffeError("svid_private_key", `private key of an X509-SVID: ${reason}`);
}
