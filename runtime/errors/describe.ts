const MAX_DEPTH = 8;
const MAX_LENGTH = 2048;

/**
 * The text of an error and its causes for a log line, outermost first: "storing attested node: disk I/O error". Reads only
 * messages, never other properties, because errors of libraries may carry requests, keys or tokens. Bounded in depth and length.
 */
export function describeError(err: unknown): string {
  const text = describe(err, new Set());
  return text.length > MAX_LENGTH ? `${text.slice(0, MAX_LENGTH)}...` : text;
}

function describe(err: unknown, seen: Set<unknown>): string {
  if (seen.has(err) || seen.size >= MAX_DEPTH) return "...";
  if (!(err instanceof Error)) return describeThrown(err);
  seen.add(err);
  const parts = [err.message || err.name];
  if (err instanceof AggregateError && err.errors.length > 0) {
    parts.push(`[${err.errors.map((inner) => describe(inner, seen)).join("; ")}]`);
  }
  if (err.cause !== undefined) parts.push(describe(err.cause, seen));
  return parts.join(": ");
}

function describeThrown(value: unknown): string {
  if (typeof value === "string") return value;
  return value === null || typeof value !== "object"
    ? String(value)
    : "a value that is not an error";
}
