import { invalidArgument } from "../../runtime/errors/status-error.ts";

const MAX_URL_BYTES = 2048;

/**
 * Reads the URL of a bundle endpoint (Federation 5.2.1.1, 5.2.2.1): https and without user information. Everything else of it is
 * free.
 *
 * @throws {Error} saying the rule that is broken
 */
export function parseEndpointUrl(text: string, base?: URL): URL {
  if (text.length > MAX_URL_BYTES) {
    throw new Error(`a URL must not be longer than ${MAX_URL_BYTES} bytes`);
  }
  const url = URL.parse(text, base);
  if (url === null) throw new Error("expected a URL");
  if (url.protocol !== "https:")
    throw new Error('a bundle endpoint\'s URL must begin with "https://"');
  // An empty user name before an "@" is user information too, and the parser drops it.
  if (url.username !== "" || url.password !== "" || hasUserInfo(text)) {
    throw new Error("a bundle endpoint's URL must not hold user information");
  }
  return url;
}

/** The same for a field of a request. @throws {StatusError} INVALID_ARGUMENT */
export function decodeEndpointUrl(field: string, text: string): string {
  try {
    parseEndpointUrl(text);
    return text;
  } catch (cause) {
    const rule = cause instanceof Error ? cause.message : "malformed";
    throw invalidArgument(`${field}: ${rule}`, { reason: "field_invalid", cause });
  }
}

function hasUserInfo(text: string): boolean {
  return /^[a-z]*:?[\\/]{2}[^/\\?#]*@/i.test(text);
}
