import { SpiffeError } from "../error.ts";
import { characterSet } from "./characters.ts";

const SEGMENT_CHARACTERS = characterSet(
  "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_",
);
const SLASH = 0x2f;
const DOT = 0x2e;

/**
 * Checks the path of a SPIFFE ID (SPIFFE-ID 2.2), which is the part of `text` from `start` on: either nothing, or a
 * slash before each segment.
 *
 * @throws {SpiffeError} "path_leading_slash" | "path_trailing_slash" | "path_empty_segment" | "path_dot_segment" |
 *   "path_char"
 */
export function checkPath(text: string, start = 0): void {
  if (start === text.length) return;
  if (text.charCodeAt(start) !== SLASH) {
    throw new SpiffeError("path_leading_slash", "path must begin with a slash");
  }
  let segmentStart = start + 1;
  for (let i = segmentStart; i < text.length; i++) {
    const character = text.charCodeAt(i);
    if (character === SLASH) {
      checkSegment(text, segmentStart, i);
      segmentStart = i + 1;
    } else if (SEGMENT_CHARACTERS[character] !== 1) {
      throw new SpiffeError(
        "path_char",
        "path characters are limited to letters, digits, dots, dashes and underscores",
      );
    }
  }
  if (segmentStart === text.length) {
    throw new SpiffeError("path_trailing_slash", "path must not end with a slash");
  }
  checkSegment(text, segmentStart, text.length);
}

/**
 * Joins segments to a path: `["a", "b"]` to `/a/b`, none to the empty path.
 *
 * @throws {SpiffeError} "path_empty_segment" | "path_dot_segment" | "path_char"
 */
export function joinSegments(segments: readonly string[]): string {
  let path = "";
  for (const segment of segments) {
    if (segment === "") checkSegment(segment, 0, 0);
    if (segment.includes("/")) {
      throw new SpiffeError("path_char", "a path segment must not contain a slash");
    }
    path += `/${segment}`;
  }
  checkPath(path);
  return path;
}

function checkSegment(text: string, start: number, end: number): void {
  const length = end - start;
  if (length === 0) {
    throw new SpiffeError("path_empty_segment", "path must not contain empty segments");
  }
  const isDots = length <= 2 && text.charCodeAt(start) === DOT && text.charCodeAt(end - 1) === DOT;
  if (isDots) {
    throw new SpiffeError("path_dot_segment", 'path segments must not be "." or ".."');
  }
}
