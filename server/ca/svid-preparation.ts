import { SpiffeError } from "../../spiffe/error.ts";
import { bytesEqual } from "../../spiffe/x509/bytes.ts";
import { parseCsr } from "../../spiffe/x509/csr.ts";
import { judgeSubjectKey, type KnownBadKeys } from "../policy/key-policy.ts";
import { checkSvidTbs } from "./certificate-check.ts";
import type { IssuerParts, SvidTemplate } from "./svid-template.ts";

/** An SVID to be prepared, in plain data: it crosses to the worker threads. */
export interface SvidItem {
  /** PKCS#10, DER. */
  readonly csrDer: Uint8Array;
  /** The key that the request was read to carry; what is signed must be for this one. */
  readonly spkiDer: Uint8Array;
  readonly serial: Uint8Array;
  /** Unix milliseconds, whole seconds. */
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
  readonly spiffeId: string;
  readonly dnsNames: readonly string[];
}

/** Checked bytes that are ready to be signed, or why there are none. */
export type PreparedSvid =
  | { readonly tbsDer: Uint8Array }
  | { readonly refusal: CsrRefusal; readonly message: string };

/** Why a request is not granted: each a fault of the request, except the last. */
export type CsrRefusal = "csr_malformed" | "csr_signature" | "csr_key" | "profile";

/**
 * Everything that is done for an SVID without the authority's key: read the request, judge its key, check that the sender holds it,
 * build what is to be signed, and check that against the profile. Keeps nothing from one call to the next.
 */
export function prepareSvid(
  item: SvidItem,
  template: SvidTemplate,
  issuer: IssuerParts,
  knownBad: KnownBadKeys,
): PreparedSvid {
  try {
    const csr = parseCsr(item.csrDer);
    if (!bytesEqual(csr.spkiDer, item.spkiDer)) return refuse("csr_malformed", "ambiguous key");
    const algorithm = csr.publicKeyAlgorithm;
    const objection = judgeSubjectKey(csr.spkiDer, algorithm, knownBad);
    if (objection !== undefined) return refuse("csr_key", objection);
    if (!csr.verifySignature()) {
      return refuse("csr_signature", "the certificate request is not signed with its own key");
    }
    const fields = {
      serial: item.serial,
      notBefore: new Date(item.notBeforeMs),
      notAfter: new Date(item.notAfterMs),
      spkiDer: csr.spkiDer,
      isRsa: algorithm.type === "rsa",
      spiffeId: item.spiffeId,
      dnsNames: item.dnsNames,
    };
    const tbsDer = template.fill(fields);
    checkSvidTbs(tbsDer, issuer, fields);
    return { tbsDer };
  } catch (err) {
    if (err instanceof SpiffeError) {
      const isKey = err.code === "public_key_unsupported";
      return refuse(isKey ? "csr_key" : "csr_malformed", err.message);
    }
    return refuse("profile", "the certificate could not be built");
  }
}

function refuse(refusal: CsrRefusal, message: string): PreparedSvid {
  return { refusal, message };
}
