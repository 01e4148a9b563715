import type { KeyObject } from "node:crypto";
import { errors } from "jose";
import { compactVerify } from "jose/jws/compact/verify";
import { SpiffeError } from "../error.ts";
import { decodeBase64Url, encodeBase64Url } from "../json/base64.ts";
import { formatJson, type PlainJsonObject } from "../json/plain-json.ts";
import {
  isJsonObject,
  type JsonObject,
  type JsonValue,
  parseStrictJson,
} from "../json/strict-json.ts";
import { isJwsAlgorithm, isKeyForAlgorithm, type JwsAlgorithm } from "./jws-algorithm.ts";

/** Longest token in characters that is read. */
export const MAX_JWS_CHARACTERS: number = 64 * 1024;

/** A JWS whose form is right. Its signature has not been checked. */
export interface Jws {
  /** The compact serialization, as it came. */
  readonly token: string;
  readonly algorithm: JwsAlgorithm;
  /** Undefined when the header has none; may be empty. */
  readonly keyId: string | undefined;
  /** Undefined when the header has none. */
  readonly type: string | undefined;
  readonly payload: JsonObject;
}

/**
 * Reads a JWS in compact serialization (RFC 7515 7.1) whose payload is a JSON object, strictly: base64url without
 * padding, line breaks or left-over bits, JSON without duplicate members. The algorithm is judged before anything else
 * of the token (JWT-SVID 2.1). Header parameters that we do not know are not acted upon; a header that declares some of
 * them critical, or the payload unencoded, is refused, since we understand no extension (RFC 7515 4.1.11).
 *
 * @throws {SpiffeError} "jws_malformed" | "jws_too_large" | "jws_header" | "jws_algorithm" | "jws_critical"
 */
export function parseJws(token: string): Jws {
  if (token.length > MAX_JWS_CHARACTERS) {
    throw new SpiffeError("jws_too_large", `token is longer than ${MAX_JWS_CHARACTERS} characters`);
  }
  const [headerText, payloadText, signatureText, ...more] = token.split(".", 4);
  if (
    headerText === undefined ||
    payloadText === undefined ||
    signatureText === undefined ||
    more.length > 0
  ) {
    throw new SpiffeError("jws_malformed", "token is not a JWS of three segments");
  }
  const header = readObject("header", headerText);
  const algorithm = header["alg"];
  if (!isJwsAlgorithm(algorithm)) {
    throw new SpiffeError("jws_algorithm", "token header names no algorithm that is allowed");
  }
  if ("crit" in header || "b64" in header) {
    throw new SpiffeError("jws_critical", "token header asks for extensions");
  }
  const keyId = optionalText(header, "kid");
  const type = optionalText(header, "typ");
  if (decodeSegment("signature", signatureText).length === 0) {
    throw new SpiffeError("jws_signature", "token has no signature");
  }
  return { token, algorithm, keyId, type, payload: readObject("payload", payloadText) };
}

/**
 * Whether the token was signed by the holder of a key. A key that does not fit the algorithm of the token is an answer
 * too: no.
 */
export async function isSignedWith(jws: Jws, publicKey: KeyObject): Promise<boolean> {
  if (!isKeyForAlgorithm(publicKey, jws.algorithm)) return false;
  try {
    await compactVerify(jws.token, publicKey, { algorithms: [jws.algorithm] });
    return true;
  } catch (err) {
    if (err instanceof errors.JOSEError) return false;
    throw err;
  }
}

/** The protected header that SPIFFE tokens have, and nothing else (JWT-SVID 2, WIT-SVID 2). */
export interface JwsHeader {
  readonly alg: JwsAlgorithm;
  readonly kid: string;
  readonly typ: "JWT" | "wit+jwt" | "wpt+jwt";
}

/**
 * Puts a JWS together around a given way of signing, so that the key may live elsewhere.
 *
 * @param sign signs the signing input (RFC 7515 5.1) with the algorithm of the header; an ECDSA signature is the
 *   concatenation R || S (RFC 7518 3.4), not DER
 * @returns the compact serialization
 */
export async function createJws(
  header: Omit<JwsHeader, "kid"> & Partial<Pick<JwsHeader, "kid">>,
  payload: PlainJsonObject,
  sign: (signingInput: Uint8Array) => Uint8Array | Promise<Uint8Array>,
): Promise<string> {
  const { alg, kid, typ } = header;
  const headerText = encodeBase64Url(formatJson({ alg, kid, typ }));
  const signingInput = `${headerText}.${encodeBase64Url(formatJson(payload))}`;
  const signature = await sign(Buffer.from(signingInput, "latin1"));
  return `${signingInput}.${encodeBase64Url(signature)}`;
}

function readObject(part: string, text: string): JsonObject {
  let value: JsonValue;
  try {
    value = parseStrictJson(decodeSegment(part, text), { maxLength: MAX_JWS_CHARACTERS });
  } catch (err) {
    if (!(err instanceof SpiffeError)) throw err;
    throw new SpiffeError("jws_malformed", `token ${part}: ${err.message}`);
  }
  if (!isJsonObject(value)) {
    throw new SpiffeError("jws_malformed", `token ${part} is not a JSON object`);
  }
  return value;
}

function decodeSegment(part: string, text: string): Uint8Array {
  try {
    return decodeBase64Url(text);
  } catch (err) {
    if (!(err instanceof SpiffeError)) throw err;
    throw new SpiffeError("jws_malformed", `token ${part}: ${err.message}`);
  }
}

function optionalText(header: JsonObject, name: string): string | undefined {
  const value = header[name];
  if (value !== undefined && typeof value !== "string") {
    throw new SpiffeError("jws_header", `token header "${name}" must be a string`);
  }
  return value;
}
