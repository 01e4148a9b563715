import { SpiffeError } from "../error.ts";

/**
 * A JSON value without loss. A number that is written as an integer is a bigint, however small; a number that is written
 * with a fraction or an exponent is a number. So 1 and 1.0 can be told apart, and 2^64 - 1 stays what it is.
 */
export type JsonValue = null | boolean | number | bigint | string | JsonArray | JsonObject;

export type JsonArray = readonly JsonValue[];

/** Has no prototype: whatever is found in it stood in the text. */
export interface JsonObject {
  readonly [name: string]: JsonValue | undefined;
}

export interface JsonLimits {
  /** Longest text in bytes (of UTF-8) or, for text that is a string already, in UTF-16 units. */
  readonly maxLength: number;
  /** How deeply arrays and objects may be nested; default 32. */
  readonly maxDepth?: number;
}

const DEFAULT_MAX_DEPTH = 32;

/**
 * Parses JSON (RFC 8259), strictly: UTF-8 without byte order mark, no member name twice in an object, no unpaired
 * surrogates, nothing around the value but white space.
 *
 * @throws {SpiffeError} "json_syntax" | "json_duplicate_member" | "json_too_deep" | "json_too_large"
 */
export function parseStrictJson(source: string | Uint8Array, limits: JsonLimits): JsonValue {
  if (source.length > limits.maxLength) {
    throw new SpiffeError("json_too_large", `JSON must not be longer than ${limits.maxLength}`);
  }
  const text = typeof source === "string" ? source : decodeUtf8(source);
  return new Parser(text, limits.maxDepth ?? DEFAULT_MAX_DEPTH).parse();
}

export function isJsonObject(value: JsonValue | undefined): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

export function isJsonArray(value: JsonValue | undefined): value is JsonArray {
  return Array.isArray(value);
}

const WHITE_SPACE = /[ \t\n\r]*/y;
const NUMBER = /-?(?:0|[1-9][0-9]*)(?<rest>(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?)/y;
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what strings must not hold
const PLAIN_CHARACTERS = /[^"\\\u0000-\u001f]*/y;
const UNICODE_ESCAPE = /[0-9a-fA-F]{4}/y;
// More digits than any field of ours has; a bound, because making a bigint is quadratic in its digits.
const MAX_NUMBER_CHARACTERS = 400;

const escapes: Readonly<Record<string, string>> = {
  '"': '"',
  "\\": "\\",
  "/": "/",
  b: "\b",
  f: "\f",
  n: "\n",
  r: "\r",
  t: "\t",
};

class Parser {
  readonly #text: string;
  readonly #maxDepth: number;
  #position = 0;
  #depth = 0;

  constructor(text: string, maxDepth: number) {
    this.#text = text;
    this.#maxDepth = maxDepth;
  }

  parse(): JsonValue {
    const value = this.#value();
    this.#skipWhiteSpace();
    if (this.#position !== this.#text.length) throw this.#unexpected();
    return value;
  }

  #value(): JsonValue {
    this.#skipWhiteSpace();
    switch (this.#text[this.#position]) {
      case "{":
        return this.#nested(() => this.#object());
      case "[":
        return this.#nested(() => this.#array());
      case '"':
        return this.#string();
      case "t":
        return this.#word("true", true);
      case "f":
        return this.#word("false", false);
      case "n":
        return this.#word("null", null);
      default:
        return this.#number();
    }
  }

  #nested<T>(read: () => T): T {
    if (this.#depth === this.#maxDepth) {
      throw new SpiffeError("json_too_deep", `JSON is nested deeper than ${this.#maxDepth}`);
    }
    this.#depth++;
    this.#position++;
    const value = read();
    this.#depth--;
    return value;
  }

  #object(): JsonObject {
    const object: Record<string, JsonValue> = Object.create(null);
    if (this.#takes("}")) return object;
    do {
      this.#skipWhiteSpace();
      if (this.#text[this.#position] !== '"') throw this.#unexpected();
      const name = this.#string();
      if (name in object) {
        throw new SpiffeError("json_duplicate_member", "a JSON object has a member twice");
      }
      if (!this.#takes(":")) throw this.#unexpected();
      object[name] = this.#value();
    } while (this.#takes(","));
    if (!this.#takes("}")) throw this.#unexpected();
    return object;
  }

  #array(): JsonArray {
    const array: JsonValue[] = [];
    if (this.#takes("]")) return array;
    do array.push(this.#value());
    while (this.#takes(","));
    if (!this.#takes("]")) throw this.#unexpected();
    return array;
  }

  #string(): string {
    this.#position++;
    let value = "";
    for (;;) {
      value += this.#match(PLAIN_CHARACTERS)?.[0] ?? "";
      const character = this.#text[this.#position++];
      if (character === '"') break;
      if (character !== "\\") throw this.#unexpected(this.#position - 1);
      value += this.#escape();
    }
    if (!value.isWellFormed()) throw this.#unexpected();
    return value;
  }

  #escape(): string {
    const letter = this.#text[this.#position++] ?? "";
    if (letter === "u") {
      const digits = this.#match(UNICODE_ESCAPE)?.[0];
      if (digits === undefined) throw this.#unexpected();
      return String.fromCharCode(Number.parseInt(digits, 16));
    }
    const character = Object.hasOwn(escapes, letter) ? escapes[letter] : undefined;
    if (character === undefined) throw this.#unexpected(this.#position - 1);
    return character;
  }

  #number(): number | bigint {
    const start = this.#position;
    const match = this.#match(NUMBER);
    if (match === null || match[0].length > MAX_NUMBER_CHARACTERS) throw this.#unexpected(start);
    if (match.groups?.["rest"] === "" && match[0] !== "-0") return BigInt(match[0]);
    const value = Number(match[0]);
    if (!Number.isFinite(value)) throw this.#unexpected(start);
    return value;
  }

  #word<T>(word: string, value: T): T {
    if (!this.#text.startsWith(word, this.#position)) throw this.#unexpected();
    this.#position += word.length;
    return value;
  }

  #takes(character: string): boolean {
    this.#skipWhiteSpace();
    if (this.#text[this.#position] !== character) return false;
    this.#position++;
    return true;
  }

  #skipWhiteSpace(): void {
    this.#match(WHITE_SPACE);
  }

  #match(pattern: RegExp): RegExpExecArray | null {
    pattern.lastIndex = this.#position;
    const match = pattern.exec(this.#text);
    if (match !== null) this.#position += match[0].length;
    return match;
  }

  #unexpected(position: number = this.#position): SpiffeError {
    const what = position >= this.#text.length ? "end of text" : "character";
    return new SpiffeError("json_syntax", `not JSON: unexpected ${what} at position ${position}`);
  }
}

function decodeUtf8(bytes: Uint8Array): string {
  try {
    // The byte order mark is left in place, where the parser refuses it.
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw new SpiffeError("json_syntax", "not JSON: the text is not UTF-8");
  }
}
