import { invalidArgument } from "../../runtime/errors/status-error.ts";

const MAX_URL_BYTES = 2048;
/**
 * What the parser mends in silence, so that it leads elsewhere than others would read it: blanks, backslashes, and slashes that are
 * missing after the scheme or too many.
 */
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what it must not hold
const AMBIGUOUS = /[\u0000-\u0020\u007f\\]|^https:(?!\/\/[^/])|^\/\/\//i;

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
  if (AMBIGUOUS.test(text)) throw new Error("expected a URL as RFC 3986 has it");
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
  return /^(?:https:)?\/\/[^/?#]*@/i.test(text);
}
