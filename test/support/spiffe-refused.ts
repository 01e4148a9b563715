import type { SpiffeErrorCode } from "../../spiffe/error.ts";

/** What `assert.throws` and `assert.rejects` compare with: data broke a rule of the standards in exactly this way. */
export function spiffeRefused(
  code: SpiffeErrorCode,
  message?: string | RegExp,
): { name: string; code: SpiffeErrorCode; message?: string | RegExp } {
  return { name: "SpiffeError", code, ...(message === undefined ? {} : { message }) };
}
