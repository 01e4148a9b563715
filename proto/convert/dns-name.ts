import { checkCount, fieldError } from "./field.ts";

/** Most DNS names on one entry. */
export const MAX_DNS_NAMES = 128;
const MAX_NAME_CHARACTERS = 253;
const LABEL = /^[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?$/;

/**
 * Reads the DNS names of an entry, in the caller's order, each once whatever its case.
 *
 * @throws {StatusError} INVALID_ARGUMENT with the first name that is not valid
 */
export function decodeDnsNames(field: string, names: readonly string[]): readonly string[] {
  if (names.length === 0) return [];
  checkCount(field, names, MAX_DNS_NAMES);
  const byFoldedName = new Map<string, string>();
  for (const [index, name] of names.entries()) {
    checkDnsName(`${field}[${index}]`, name);
    const folded = name.toLowerCase();
    if (!byFoldedName.has(folded)) byFoldedName.set(folded, name);
  }
  return [...byFoldedName.values()];
}

/**
 * Checks a DNS name as it may stand in a certificate: labels of letters, digits and inner dashes (RFC 1123 2.1), no final dot,
 * international names as A-labels. The first of several labels may be a lone asterisk (RFC 6125 6.4.3).
 *
 * @throws {StatusError} INVALID_ARGUMENT
 */
export function checkDnsName(field: string, name: string): void {
  if (name === "") throw fieldError(field, "must not be empty");
  if (name.length > MAX_NAME_CHARACTERS) {
    throw fieldError(field, `must not be longer than ${MAX_NAME_CHARACTERS} characters`);
  }
  const labels = name.split(".");
  const literal = labels[0] === "*" && labels.length > 1 ? labels.slice(1) : labels;
  if (!literal.every((label) => LABEL.test(label))) {
    throw fieldError(
      field,
      "must be a DNS name: labels of 1 to 63 letters, digits and inner dashes, the first of several may be an asterisk",
    );
  }
}
