import * as z from "zod";

/** A pattern for the path of a SPIFFE ID, for example "/ns/shop/sa/*" or "/ns/shop/**". Immutable. */
export class IdPattern {
  readonly #text: string;
  readonly #segments: readonly string[];
  readonly #open: boolean;

  private constructor(text: string, segments: readonly string[], open: boolean) {
    this.#text = text;
    this.#segments = segments;
    this.#open = open;
  }

  /**
   * Reads a pattern: a path whose segments are literal or "*" (exactly one segment); the last may be "**" (one or more).
   * A star inside a segment is refused, because "web*" too easily grants more than was meant.
   *
   * @throws {Error} saying the rule that is broken
   */
  static parse(text: string): IdPattern {
    if (!text.startsWith("/")) throw new Error('a pattern starts with "/"');
    const segments = text.slice(1).split("/");
    const open = segments.at(-1) === "**";
    if (open) segments.pop();
    for (const segment of segments) {
      if (segment !== "*" && !SEGMENT.test(segment)) {
        throw new Error('a segment is "*", a closing "**", or letters, digits, ".", "-", "_"');
      }
      if (segment === "." || segment === "..") throw new Error("dot segments are not allowed");
    }
    return new IdPattern(text, segments, open);
  }

  /** Whether the path of a SPIFFE ID, with its leading slash, matches. */
  matches(path: string): boolean {
    const given = path.slice(1).split("/");
    const count = this.#segments.length;
    if (this.#open ? given.length <= count : given.length !== count) return false;
    return this.#segments.every((segment, i) => segment === "*" || segment === given[i]);
  }

  toString(): string {
    return this.#text;
  }

  toJSON(): string {
    return this.#text;
  }
}

const SEGMENT = /^[A-Za-z0-9._-]+$/;

/** An {@link IdPattern} in the configuration file. */
export const idPatternSchema: z.ZodType<IdPattern, string> = z
  .string()
  .transform((text, context): IdPattern => {
    try {
      return IdPattern.parse(text);
    } catch (err) {
      context.addIssue(err instanceof Error ? err.message : "invalid pattern");
      return z.NEVER;
    }
  });
