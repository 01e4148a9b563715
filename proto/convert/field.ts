import { invalidArgument, type StatusError } from "../../runtime/errors/status-error.ts";
import { SpiffeError } from "../../spiffe/error.ts";

// Reading a request: every refusal names the field, written as in the .proto file with list positions in brackets
// ("entries[2].selectors[0].type"), then the rule. Hostile values are never repeated in the message.

/** A refusal of one field: INVALID_ARGUMENT "field: rule". */
export function fieldError(
  field: string,
  rule: string,
  options?: { cause: SpiffeError },
): StatusError {
  return invalidArgument(`${field}: ${rule}`, {
    reason: options?.cause.code ?? "field_invalid",
    ...options,
  });
}

/**
 * Reads a field with a parser of the SPIFFE library.
 *
 * @throws {StatusError} INVALID_ARGUMENT with the parser's message, when it throws a SpiffeError
 */
export function parseField<T>(field: string, parse: () => T): T {
  try {
    return parse();
  } catch (err) {
    if (err instanceof SpiffeError) throw fieldError(field, err.message, { cause: err });
    throw err;
  }
}

/** @throws {StatusError} INVALID_ARGUMENT when the message field is not set */
export function requireField<T>(field: string, value: T | undefined): T {
  if (value === undefined) throw fieldError(field, "is required");
  return value;
}

/** @throws {StatusError} INVALID_ARGUMENT when a list is longer than allowed */
export function checkCount(field: string, list: readonly unknown[], max: number): void {
  if (list.length > max) {
    throw fieldError(field, `has ${list.length} items, at most ${max} are allowed`);
  }
}

/**
 * Reads a text: bounded in UTF-8 bytes, and without NUL, which PostgreSQL cannot store.
 *
 * @throws {StatusError} INVALID_ARGUMENT
 */
export function decodeText(
  field: string,
  text: string,
  limits: { readonly maxBytes: number; readonly required?: boolean },
): string {
  if (text === "" && limits.required === true) throw fieldError(field, "must not be empty");
  // No UTF-16 unit takes more than three bytes, so most texts are not measured.
  if (text.length * 3 > limits.maxBytes && Buffer.byteLength(text) > limits.maxBytes) {
    throw fieldError(field, `must not be longer than ${limits.maxBytes} bytes`);
  }
  if (text.includes("\0")) throw fieldError(field, "must not contain a NUL character");
  return text;
}

/**
 * Reads a number of seconds; zero stands for the server's default.
 *
 * @throws {StatusError} INVALID_ARGUMENT when it is negative
 */
export function decodeSeconds(field: string, seconds: number): number {
  if (seconds < 0) throw fieldError(field, "must not be negative");
  return seconds;
}

// 9999-12-31T23:59:59Z, the last instant that RFC 5280 can write.
const LAST_UNIX_SECOND = 253_402_300_799n;

/**
 * Reads an instant in Unix seconds; zero stands for none.
 *
 * @throws {StatusError} INVALID_ARGUMENT when it is negative or after the year 9999
 */
export function decodeUnixSeconds(field: string, seconds: bigint): Date | undefined {
  if (seconds < 0n || seconds > LAST_UNIX_SECOND) {
    throw fieldError(field, "must be a time in Unix seconds up to the year 9999");
  }
  return seconds === 0n ? undefined : new Date(Number(seconds) * 1000);
}

/** An instant in whole Unix seconds, rounded down; zero for none. */
export function encodeUnixSeconds(instant: Date | undefined): bigint {
  return instant === undefined ? 0n : BigInt(Math.floor(instant.getTime() / 1000));
}

/**
 * Reads the size of a page: zero takes `defaultSize`, more than `maxSize` is cut.
 *
 * @throws {StatusError} INVALID_ARGUMENT when it is negative
 */
export function decodePageSize(
  field: string,
  size: number,
  limits: { readonly defaultSize: number; readonly maxSize: number },
): number {
  if (size < 0) throw fieldError(field, "must not be negative");
  return size === 0 ? limits.defaultSize : Math.min(size, limits.maxSize);
}
