// Tokens of any shape, right or wrong. A test names only what differs from a good one.

import type { KeyObject } from "node:crypto";
import { type JwsAlgorithm, signWithKey } from "../../spiffe/jwt/jws-algorithm.ts";
import { testNow } from "./test-ca.ts";

/** testNow plus so many seconds, as tokens count time. */
export function inSeconds(seconds: number): number {
  return testNow.getTime() / 1000 + seconds;
}

/** A segment of a token; text is taken as it is, so that it need not be JSON. */
export function segment(content: string | object | Uint8Array): string {
  const isText = typeof content === "string" || content instanceof Uint8Array;
  return Buffer.from(isText ? content : JSON.stringify(content)).toString("base64url");
}

/** How to make a signature over the signing input. */
export type Sign = (signingInput: Uint8Array) => Uint8Array;

export function signed(algorithm: JwsAlgorithm, key: KeyObject): Sign {
  return (signingInput) => signWithKey(key, algorithm, signingInput);
}

/** Puts a token together from a header and a payload that may be anything. */
export function makeToken(
  header: string | object,
  payload: string | object | Uint8Array,
  sign: Sign,
): string {
  const signingInput = `${segment(header)}.${segment(payload)}`;
  return `${signingInput}.${segment(sign(Buffer.from(signingInput)))}`;
}
