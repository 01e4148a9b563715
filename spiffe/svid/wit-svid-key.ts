import { createPrivateKey, createPublicKey, type KeyObject } from "node:crypto";
import { SpiffeError } from "../error.ts";
import { isJsonObject, type JsonObject, parseStrictJson } from "../json/strict-json.ts";
import { parsePublicJwk } from "../jwt/jwk.ts";
import type { UnprovenWitSvid } from "./wit-svid.ts";

const MAX_KEY_CHARACTERS: number = 32 * 1024;

/**
 * Reads the private key that the Workload API sends beside a WIT-SVID (7.2.1): a private JWK, which must be the half that
 * belongs to the confirmed key.
 *
 * @throws {SpiffeError} "svid_private_key"
 */
export function parseWitSvidKey(jwkText: string, wit: UnprovenWitSvid): KeyObject {
  const jwk = readJwk(jwkText);
  let privateKey: KeyObject;
  try {
    parsePublicJwk(jwk);
    privateKey = createPrivateKey({ key: { ...jwk }, format: "jwk" });
  } catch {
    throw invalid("it is not a valid private JWK");
  }
  if (!createPublicKey(privateKey).equals(wit.confirmationKey)) {
    throw invalid("it is not the key that the WIT-SVID confirms");
  }
  return privateKey;
}

function readJwk(text: string): JsonObject {
  try {
    const jwk = parseStrictJson(text, { maxLength: MAX_KEY_CHARACTERS });
    if (isJsonObject(jwk)) return jwk;
  } catch {
    // Whatever the parser says could show a piece of the key.
  }
  throw invalid("it is not a JSON object");
}

function invalid(reason: string): SpiffeError {
  return new SpiffeError("svid_private_key", `private key of a WIT-SVID: ${reason}`);
}
