const MAX_NAME_LENGTH = 253;
const LABEL = /^[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?$/;

/**
 * Whether a text may stand in a certificate as a DNS name (RFC 5280 4.2.1.6): labels of letters, digits, hyphens and, because they are
 * in use, underscores; "*" only as the whole first label of at least three. Not a bare IP address, which verifiers read differently.
 */
export function isDnsName(name: string): boolean {
  if (name.length === 0 || name.length > MAX_NAME_LENGTH) return false;
  const labels = name.split(".");
  const [first, ...rest] = labels;
  const isWildcard = first === "*" && rest.length >= 2;
  const named = isWildcard ? rest : labels;
  const isNumeric = /^\d+$/.test(labels.at(-1) ?? "");
  return !isNumeric && named.every((label) => LABEL.test(label));
}
