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

  /** Whether the path of a SPIFFE ID, with its leading slash, matches. The empty path of a trust domain's own ID never does. */
  matches(path: string): boolean {
    if (path === "") return false;
    const given = path.slice(1).split("/");
    const count = this.#segments.length;
    if (this.#open ? given.length <= count : given.length !== count) return false;
    return this.#segments.every((segment, i) => segment === "*" || segment === given[i]);
  }

  /** Without a star it stands for this one path and no other. */
  get isLiteral(): boolean {
    return !this.#open && !this.#segments.includes("*");
  }

  /**
   * The same pattern as a regular expression for a whole path, for those who match elsewhere: `^` and `$` are the caller's to
   * add. It uses nothing that RE2 lacks.
   */
  toRegexSource(): string {
    const segments = this.#segments.map((each) => (each === "*" ? "[^/]+" : escapeDots(each)));
    if (this.#open) segments.push("[^/]+(?:/[^/]+)*");
    return `/${segments.join("/")}`;
  }

  toString(): string {
    return this.#text;
  }

  toJSON(): string {
    return this.#text;
  }
}

const SEGMENT = /^[A-Za-z0-9._-]+$/;

// Of the characters that a segment may have, only the dot means something in a regular expression.
function escapeDots(segment: string): string {
  return segment.replaceAll(".", "\\.");
}
