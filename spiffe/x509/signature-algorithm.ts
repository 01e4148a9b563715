import {
  constants,
  type KeyObject,
  type VerifyKeyObjectInput,
  type VerifyPublicKeyInput,
  verify,
} from "node:crypto";
import { SpiffeError } from "../error.ts";
import { asBuffer } from "./bytes.ts";
import { contextConstructed, DerReader, Tag } from "./der.ts";
import { HashOid, SignatureOid } from "./oids.ts";
import { parsePublicKeyAlgorithm } from "./public-key.ts";

type KeyKind = "rsa" | "ec" | "ed25519";

/** How a certificate or a request says that it was signed. */
export interface SignatureAlgorithm {
  readonly key: KeyKind;
  /** Name of the hash for node:crypto; absent where the algorithm brings its own (Ed25519). */
  readonly hash?: "sha256" | "sha384" | "sha512";
  /** Present for RSASSA-PSS: length of the salt in bytes. */
  readonly pssSaltLength?: number;
}

const byOid: ReadonlyMap<string, SignatureAlgorithm> = new Map<string, SignatureAlgorithm>([
  [SignatureOid.ecdsaWithSha256, { key: "ec", hash: "sha256" }],
  [SignatureOid.ecdsaWithSha384, { key: "ec", hash: "sha384" }],
  [SignatureOid.ecdsaWithSha512, { key: "ec", hash: "sha512" }],
  [SignatureOid.sha256WithRsa, { key: "rsa", hash: "sha256" }],
  [SignatureOid.sha384WithRsa, { key: "rsa", hash: "sha384" }],
  [SignatureOid.sha512WithRsa, { key: "rsa", hash: "sha512" }],
  [SignatureOid.ed25519, { key: "ed25519" }],
]);

const hashByOid: ReadonlyMap<string, "sha256" | "sha384" | "sha512"> = new Map([
  [HashOid.sha256, "sha256"],
  [HashOid.sha384, "sha384"],
  [HashOid.sha512, "sha512"],
]);

/**
 * Reads an AlgorithmIdentifier. SHA-1 and everything else that is not on the list is refused.
 *
 * @param algorithmDer the complete AlgorithmIdentifier element
 * @throws {SpiffeError} "signature_algorithm" | "der_malformed"
 */
export function parseSignatureAlgorithm(algorithmDer: Uint8Array): SignatureAlgorithm {
  const outer = new DerReader(algorithmDer);
  const reader = outer.sequence();
  outer.finish();
  const oid = reader.oid();
  if (oid === SignatureOid.rsaPss) return parsePssParameters(reader);
  const algorithm = byOid.get(oid);
  if (algorithm === undefined) throw unsupported(`signature algorithm ${oid} is not supported`);
  // RFC 4055 5: RSA has a NULL for parameters, though readers must do without. The others have none (RFC 5758, 8410).
  if (algorithm.key === "rsa" && !reader.atEnd) reader.null();
  reader.finish();
  return algorithm;
}

/**
 * Whether `signature` over `data` was made by the holder of `publicKey` with this algorithm. A key that does not fit
 * the algorithm, or is no key at all, is an answer too: no.
 *
 * @param publicKey a key, or a SubjectPublicKeyInfo; the latter is a tenth faster where the key is used just once
 */
export function verifySignature(
  algorithm: SignatureAlgorithm,
  publicKey: KeyObject | Uint8Array,
  data: Uint8Array,
  signature: Uint8Array,
): boolean {
  const isPss = algorithm.pssSaltLength !== undefined;
  const type = keyTypeOf(publicKey);
  if (type !== algorithm.key && !(type === "rsa-pss" && isPss)) return false;
  const key: VerifyKeyObjectInput | VerifyPublicKeyInput =
    publicKey instanceof Uint8Array
      ? { key: asBuffer(publicKey), format: "der", type: "spki" }
      : { key: publicKey };
  if (isPss) {
    key.padding = constants.RSA_PKCS1_PSS_PADDING;
    key.saltLength = algorithm.pssSaltLength;
  }
  try {
    return verify(algorithm.hash ?? null, data, key, signature);
  } catch {
    // OpenSSL throws for keys it cannot import, and for PSS parameters that contradict those of the key.
    return false;
  }
}

function keyTypeOf(publicKey: KeyObject | Uint8Array): string | undefined {
  return publicKey instanceof Uint8Array
    ? parsePublicKeyAlgorithm(publicKey).type
    : publicKey.asymmetricKeyType;
}

// RSASSA-PSS-params (RFC 4055 3.1). The defaults all mean SHA-1, so hash, mask and salt length have to be there.
function parsePssParameters(algorithm: DerReader): SignatureAlgorithm {
  const parameters = algorithm.sequence();
  algorithm.finish();
  const hash = parseHash(explicit(parameters, 0));

  const mask = explicit(parameters, 1);
  const maskAlgorithm = mask.sequence();
  mask.finish();
  const isMgf1 = maskAlgorithm.oid() === HashOid.mgf1;
  if (!isMgf1 || parseHash(maskAlgorithm) !== hash) {
    throw unsupported("RSASSA-PSS needs MGF1 with the hash of the signature");
  }

  const salt = explicit(parameters, 2);
  const pssSaltLength = salt.smallInteger();
  salt.finish();
  if (pssSaltLength > 512) throw unsupported("the RSASSA-PSS salt is too long");

  if (!parameters.atEnd) {
    const trailer = explicit(parameters, 3);
    if (trailer.smallInteger() !== 1) throw unsupported("unknown RSASSA-PSS trailer");
    trailer.finish();
  }
  parameters.finish();
  return { key: "rsa", hash, pssSaltLength };
}

function parseHash(holder: DerReader): "sha256" | "sha384" | "sha512" {
  const reader = holder.sequence();
  holder.finish();
  const hash = hashByOid.get(reader.oid());
  if (hash === undefined) throw unsupported("the hash of the signature is not supported");
  if (reader.nextIs(Tag.null)) reader.null();
  reader.finish();
  return hash;
}

function explicit(parameters: DerReader, number: number): DerReader {
  if (!parameters.nextIs(contextConstructed(number))) {
    throw unsupported("RSASSA-PSS with SHA-1 is not supported");
  }
  return parameters.enter(contextConstructed(number));
}

function unsupported(message: string): SpiffeError {
  return new SpiffeError("signature_algorithm", message);
}
