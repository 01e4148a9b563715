import type * as z from "zod";
import { invalidArgument } from "../../runtime/errors/status-error.ts";

const MAX_BYTES = 64 * 1024;

/**
 * Reads an agent's payload that is JSON.
 *
 * @param what names it in errors: "challenge response"
 * @throws {StatusError} INVALID_ARGUMENT naming the field; never repeats its value
 */
export function parseJsonPayload<T>(payload: Uint8Array, schema: z.ZodType<T>, what: string): T {
  if (payload.length > MAX_BYTES) {
    throw invalidArgument(`${what}: expected at most ${MAX_BYTES} bytes`);
  }
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(payload));
  } catch {
    throw invalidArgument(`${what}: expected JSON`);
  }
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const path = parsed.error.issues[0]?.path.join(".") ?? "";
  throw invalidArgument(`${what}: ${path === "" ? "malformed" : `${path} is malformed`}`);
}
