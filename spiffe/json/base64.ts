import { SpiffeError } from "../error.ts";

// Node's decoders skip over what they do not understand and ignore bits that are left over. Encoding the result again
// and comparing finds all of that: each byte string has exactly one text.

/**
 * Decodes base64url without padding (RFC 7515 2), strictly: nothing outside of the alphabet, no bits left over.
 *
 * @throws {SpiffeError} "base64_malformed"
 */
export function decodeBase64Url(text: string): Uint8Array {
  const bytes = Buffer.from(text, "base64url");
  if (bytes.toString("base64url") !== text) {
    throw new SpiffeError("base64_malformed", "not base64url without padding");
  }
  return bytes;
}

/**
 * Decodes standard base64 with padding (RFC 4648 4), strictly.
 *
 * @throws {SpiffeError} "base64_malformed"
 */
export function decodeBase64(text: string): Uint8Array {
  const bytes = Buffer.from(text, "base64");
  if (bytes.toString("base64") !== text) {
    throw new SpiffeError("base64_malformed", "not standard base64 with padding");
  }
  return bytes;
}

export function encodeBase64Url(bytes: Uint8Array | string): string {
  return Buffer.from(bytes).toString("base64url");
}
