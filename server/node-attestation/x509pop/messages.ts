import * as z from "zod";
import { invalidArgument } from "../../../runtime/errors/status-error.ts";
import { parseJsonPayload } from "../parse-payload.ts";

// The payloads of x509pop are JSON, with bytes in standard base64.

const MAX_CERTIFICATES = 5;

const bytes = z
  .base64()
  .max(32 * 1024)
  .transform((text): Uint8Array => Buffer.from(text, "base64"));

const attestationSchema = z.object({ certificates: z.array(bytes).min(1).max(MAX_CERTIFICATES) });

const responseSchema = z.object({
  rsa_signature: z.object({ nonce: bytes, signature: bytes }).nullish(),
  ecdsa_signature: z.object({ nonce: bytes, r: bytes, s: bytes }).nullish(),
});

/** How the answer to a challenge was signed. */
export type PopResponse =
  | { readonly kind: "rsa"; readonly nonce: Uint8Array; readonly signature: Uint8Array }
  | {
      readonly kind: "ecdsa";
      readonly nonce: Uint8Array;
      readonly r: Uint8Array;
      readonly s: Uint8Array;
    };

/**
 * Reads the certificates of the node, the leaf first.
 *
 * @throws {StatusError} INVALID_ARGUMENT
 */
export function parseAttestationData(payload: Uint8Array): readonly Uint8Array[] {
  return parseJsonPayload(payload, attestationSchema, "attestation payload").certificates;
}

/** Writes a challenge for a key of the given kind. */
export function formatChallenge(kind: PopResponse["kind"], nonce: Uint8Array): Uint8Array {
  const signature = { nonce: Buffer.from(nonce).toString("base64") };
  return Buffer.from(
    JSON.stringify({
      rsa_signature: kind === "rsa" ? signature : null,
      ecdsa_signature: kind === "ecdsa" ? signature : null,
    }),
  );
}

/**
 * Reads the answer to a challenge.
 *
 * @throws {StatusError} INVALID_ARGUMENT
 */
export function parseChallengeResponse(payload: Uint8Array): PopResponse {
  const { rsa_signature: rsa, ecdsa_signature: ecdsa } = parseJsonPayload(
    payload,
    responseSchema,
    "challenge response",
  );
  if (rsa != null && ecdsa == null) return { kind: "rsa", ...rsa };
  if (ecdsa != null && rsa == null) return { kind: "ecdsa", ...ecdsa };
  throw invalidArgument("challenge response: expected exactly one signature");
}
