import { SpiffeError } from "../error.ts";
import {
  isJsonArray,
  isJsonObject,
  type JsonArray,
  type JsonObject,
  type JsonValue,
  parseStrictJson,
} from "../json/strict-json.ts";

/** Longest bundle document, bundle map or JWK Set in bytes that is read. */
export const MAX_BUNDLE_BYTES: number = 4 * 1024 * 1024;

/** Most elements of one JWK Set that are read. */
export const MAX_BUNDLE_KEYS = 4096;

/**
 * Reads JSON text that must be an object.
 *
 * @throws {SpiffeError} "bundle_too_large" | "bundle_malformed"
 */
export function parseJsonDocument(text: string | Uint8Array): JsonObject {
  if (text.length > MAX_BUNDLE_BYTES) {
    throw new SpiffeError("bundle_too_large", `bundle is larger than ${MAX_BUNDLE_BYTES} bytes`);
  }
  let value: JsonValue;
  try {
    value = parseStrictJson(text, { maxLength: MAX_BUNDLE_BYTES });
  } catch (cause) {
    if (!(cause instanceof SpiffeError)) throw cause;
    throw new SpiffeError("bundle_malformed", `bundle: ${cause.message}`, { cause });
  }
  if (!isJsonObject(value)) throw malformed("it is not a JSON object");
  return value;
}

/**
 * The elements of a JWK Set (RFC 7517 5), which are not looked at.
 *
 * @throws {SpiffeError} "bundle_malformed" | "bundle_too_large"
 */
export function keysOf(document: JsonObject): JsonArray {
  const keys = document["keys"];
  if (!isJsonArray(keys)) throw malformed('"keys" must be an array');
  if (keys.length > MAX_BUNDLE_KEYS) {
    throw new SpiffeError("bundle_too_large", `bundle has more than ${MAX_BUNDLE_KEYS} keys`);
  }
  return keys;
}

function malformed(reason: string): SpiffeError {
  return new SpiffeError("bundle_malformed", `bundle: ${reason}`);
}
