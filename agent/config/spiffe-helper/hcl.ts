import { HclError, type HclToken, tokenizeHcl } from "./hcl-tokens.ts";

/** A value of HCL. */
export type HclValue =
  | string
  | number
  | boolean
  | readonly HclValue[]
  | { readonly [name: string]: HclValue };

const MAX_DEPTH = 8;

/**
 * Reads the part of HCL (version 1) that spiffe-helper's configuration is written in: attributes, blocks without labels, strings,
 * whole numbers (octal with a leading zero), booleans, lists and objects. Anything else is an error, a name given twice too.
 *
 * @throws {HclError} with the line
 */
export function parseHcl(text: string): { readonly [name: string]: HclValue } {
  const parser = new Parser(tokenizeHcl(text));
  return parser.members("end", 0);
}

class Parser {
  readonly #tokens: readonly HclToken[];
  #at = 0;

  constructor(tokens: readonly HclToken[]) {
    this.#tokens = tokens;
  }

  /** Attributes and blocks up to the closing brace, or the end of the text. */
  members(end: "end" | "}", depth: number): { readonly [name: string]: HclValue } {
    const members = new Map<string, HclValue>();
    for (;;) {
      const token = this.#next();
      if (end === "end" ? token.kind === "end" : isMark(token, "}")) break;
      if (token.kind !== "name" && token.kind !== "string") throw unexpected(token, "a name");
      if (members.has(token.text)) throw new HclError(token.line, `${token.text} is given twice`);
      members.set(token.text, this.#memberValue(depth));
      // Objects on one line separate their members with commas.
      if (isMark(this.#peek(), ",")) this.#next();
    }
    return Object.fromEntries(members);
  }

  #memberValue(depth: number): HclValue {
    const token = this.#next();
    if (isMark(token, "{")) return this.#object(token, depth);
    if (!isMark(token, "=") && !isMark(token, ":")) throw unexpected(token, '"="');
    return this.#value(depth);
  }

  #value(depth: number): HclValue {
    const token = this.#next();
    if (isMark(token, "{")) return this.#object(token, depth);
    if (isMark(token, "[")) return this.#list(token, depth);
    switch (token.kind) {
      case "string":
        return token.text;
      case "number":
        return numberOf(token);
      case "name":
        if (token.text === "true" || token.text === "false") return token.text === "true";
        throw unexpected(token, "a value (text needs quotes)");
      default:
        throw unexpected(token, "a value");
    }
  }

  #object(token: HclToken, depth: number): HclValue {
    checkDepth(token, depth);
    return this.members("}", depth + 1);
  }

  #list(token: HclToken, depth: number): readonly HclValue[] {
    checkDepth(token, depth);
    const items: HclValue[] = [];
    while (!isMark(this.#peek(), "]")) {
      items.push(this.#value(depth + 1));
      if (!isMark(this.#peek(), "]")) {
        const comma = this.#next();
        if (!isMark(comma, ",")) throw unexpected(comma, '"," or "]"');
      }
    }
    this.#next();
    return items;
  }

  #peek(): HclToken {
    return this.#tokens[this.#at] ?? { kind: "end", text: "", line: 0 };
  }

  #next(): HclToken {
    const token = this.#peek();
    this.#at += 1;
    return token;
  }
}

function checkDepth({ line }: HclToken, depth: number): void {
  if (depth >= MAX_DEPTH) throw new HclError(line, `nested more than ${MAX_DEPTH} deep`);
}

function numberOf({ text, line }: HclToken): number {
  const isOctal = /^0[0-7]+$/.test(text);
  const value = isOctal ? Number.parseInt(text, 8) : Number(text);
  if (Number.isSafeInteger(value) && !(/^0\d/.test(text) && !isOctal)) return value;
  throw new HclError(line, `expected a whole number, found ${text.slice(0, 40)}`);
}

function isMark(token: HclToken, mark: string): boolean {
  return token.kind === "mark" && token.text === mark;
}

function unexpected({ kind, text, line }: HclToken, expected: string): HclError {
  const found = kind === "end" ? "the end" : JSON.stringify(text.slice(0, 40));
  return new HclError(line, `expected ${expected}, found ${found}`);
}
