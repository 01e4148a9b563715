import { quoteShort, TemplateError } from "./template-error.ts";

/** A piece of a template: text between actions, or a word inside of one. */
export type Token = { readonly offset: number } & (
  | { readonly kind: "text"; readonly text: string }
  | { readonly kind: "open" | "close" | "pipe" | "left" | "right" }
  | { readonly kind: "string"; readonly text: string }
  | { readonly kind: "number"; readonly value: number }
  /** ".", ".A.B", "$", "$.A": the path below the root or the current value. */
  | { readonly kind: "path"; readonly root: boolean; readonly path: readonly string[] }
  | { readonly kind: "word"; readonly text: string }
);

const OPEN = "{{";
const CLOSE = "}}";

/**
 * Cuts a template into tokens, as Go's text/template does: actions stand between double braces, a dash beside them with a blank
 * takes away the white space on its side, and comments vanish.
 *
 * @throws {TemplateError} at the first thing that is none of these
 */
export function tokenize(source: string): readonly Token[] {
  const tokens: Token[] = [];
  let at = 0;
  let trimNext = false;
  for (;;) {
    const open = source.indexOf(OPEN, at);
    const end = open === -1 ? source.length : open;
    let text = source.slice(at, end);
    if (trimNext) text = text.trimStart();
    const trimsBefore = open !== -1 && /^-\s/.test(source.slice(open + 2, open + 4));
    if (trimsBefore) text = text.trimEnd();
    if (text !== "") tokens.push({ kind: "text", text, offset: at });
    if (open === -1) return tokens;
    const start = open + OPEN.length + (trimsBefore ? 1 : 0);
    const action = new ActionReader(source, start, open);
    const comment = action.skipComment();
    if (!comment) tokens.push({ kind: "open", offset: open });
    while (!action.atEnd) {
      const token = action.next();
      if (!comment) tokens.push(token);
    }
    if (!comment) tokens.push({ kind: "close", offset: action.at });
    trimNext = action.trimsAfter;
    at = action.after;
  }
}

const WORD = /[A-Za-z_][A-Za-z0-9_]*/y;
const NUMBER = /[+-]?\d{1,15}(?![\w.])/y;
const PATH = /(\$?)((?:\.[A-Za-z_][A-Za-z0-9_]*)+|\.?)(?![\w$])/y;
const BLANK = /\s+/y;
const END = /(\s-)?\}\}/y;
const COMMENT = /\s*\/\*[\s\S]*?\*\/(?=\s*-?\}\})/y;

/** Reads the words of one action. */
class ActionReader {
  readonly #source: string;
  readonly #open: number;
  at: number;
  trimsAfter = false;

  constructor(source: string, start: number, open: number) {
    this.#source = source;
    this.at = start;
    this.#open = open;
  }

  /** The offset behind the action. */
  get after(): number {
    return this.at + (this.trimsAfter ? 2 : 0) + CLOSE.length;
  }

  skipComment(): boolean {
    return this.#take(COMMENT) !== undefined;
  }

  /** Whether the action ends here. @throws {TemplateError} when the template does, and the action does not */
  get atEnd(): boolean {
    END.lastIndex = this.at;
    const end = END.exec(this.#source);
    if (end !== null) {
      this.trimsAfter = end[1] !== undefined;
      return true;
    }
    if (this.#take(BLANK) !== undefined) {
      // The blank belongs to a closing "-}}".
      if (this.#source.startsWith("-}}", this.at)) this.at -= 1;
      return this.atEnd;
    }
    if (this.at >= this.#source.length) throw this.#error('"{{" is never closed', this.#open);
    return false;
  }

  next(): Token {
    const offset = this.at;
    const sign = this.#source.charAt(offset);
    const simple = { "|": "pipe", "(": "left", ")": "right" } as const;
    if (sign === "|" || sign === "(" || sign === ")") {
      this.at += 1;
      return { kind: simple[sign], offset };
    }
    if (sign === '"') return { kind: "string", text: this.#quoted(), offset };
    if (sign === "`") return { kind: "string", text: this.#raw(), offset };
    const number = this.#take(NUMBER);
    if (number !== undefined) return { kind: "number", value: Number(number[0]), offset };
    if (sign === "." || sign === "$") {
      const path = this.#take(PATH);
      const text = path?.[2] ?? "";
      if (path !== undefined && path[0] !== "" && !(path[1] === "$" && text === ".")) {
        const names = text.split(".").slice(1);
        return { kind: "path", root: path[1] === "$", path: names.filter((n) => n !== ""), offset };
      }
      throw this.#error(sign === "$" ? "variables are not supported" : "a field has no name");
    }
    const word = this.#take(WORD);
    if (word !== undefined) return { kind: "word", text: word[0], offset };
    throw this.#error(`${quoteShort(sign)} is not understood`);
  }

  #quoted(): string {
    const start = this.at;
    let text = "";
    for (let at = start + 1; at < this.#source.length; at += 1) {
      const sign = this.#source.charAt(at);
      if (sign === '"') {
        this.at = at + 1;
        return text;
      }
      if (sign === "\n") break;
      if (sign !== "\\") {
        text += sign;
        continue;
      }
      at += 1;
      const meant = ESCAPES.get(this.#source.charAt(at));
      if (meant === undefined) throw this.#error("this escape is not supported", at - 1);
      text += meant;
    }
    throw this.#error("a quote is never closed", start);
  }

  #raw(): string {
    const end = this.#source.indexOf("`", this.at + 1);
    if (end === -1) throw this.#error("a quote is never closed");
    const text = this.#source.slice(this.at + 1, end);
    this.at = end + 1;
    return text;
  }

  #take(form: RegExp): RegExpExecArray | undefined {
    form.lastIndex = this.at;
    const match = form.exec(this.#source);
    if (match === null) return undefined;
    this.at = form.lastIndex;
    return match;
  }

  #error(message: string, offset: number = this.at): TemplateError {
    return new TemplateError(message, this.#source, offset);
  }
}

const ESCAPES: ReadonlyMap<string, string> = new Map([
  ['"', '"'],
  ["\\", "\\"],
  ["n", "\n"],
  ["t", "\t"],
  ["r", "\r"],
]);
