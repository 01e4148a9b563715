import type { Command, Operand, Part, Pipeline } from "./syntax-tree.ts";
import { quoteShort, TemplateError } from "./template-error.ts";
import { FUNCTIONS } from "./template-functions.ts";
import { type Token, tokenize } from "./tokens.ts";

/** Longest template in UTF-16 units. */
const MAX_LENGTH = 4096;
/** Deepest nesting of conditions and brackets. */
const MAX_DEPTH = 32;

/** Words of Go's templates that a template of ours cannot have, and why. */
const REFUSED: ReadonlyMap<string, string> = new Map([
  ...["range", "break", "continue"].map(
    (word) => [word, "loops are not supported: a template gives one value"] as const,
  ),
  ...["define", "template", "block"].map(
    (word) => [word, "templates inside of templates are not supported"] as const,
  ),
]);

/**
 * Reads a template in the documented part of Go's text/template.
 *
 * @throws {TemplateError} with the place and the rule that is broken
 */
export function parseTemplate(source: string): readonly Part[] {
  if (source.length > MAX_LENGTH) {
    throw new TemplateError(`longer than ${MAX_LENGTH} characters`, source, MAX_LENGTH);
  }
  return new Parser(source).template();
}

class Parser {
  readonly #source: string;
  readonly #tokens: readonly Token[];
  #at = 0;
  #depth = 0;

  constructor(source: string) {
    this.#source = source;
    this.#tokens = tokenize(source);
  }

  template(): readonly Part[] {
    const parts = this.#parts();
    const extra = this.#tokens[this.#at];
    if (extra !== undefined) throw this.#error('"else" or "end" without a condition', extra);
    return parts;
  }

  /** Parts up to the end, or to an action that begins with "else" or "end". */
  #parts(): readonly Part[] {
    const parts: Part[] = [];
    for (;;) {
      const token = this.#tokens[this.#at];
      if (token === undefined) return parts;
      if (token.kind === "text") {
        parts.push(token);
        this.#at += 1;
        continue;
      }
      const word = this.#wordAt(this.#at + 1);
      if (word === "else" || word === "end") return parts;
      this.#at += 1;
      parts.push(this.#action(word, token));
    }
  }

  #action(word: string | undefined, open: Token): Part {
    const refusal = REFUSED.get(word ?? "");
    if (refusal !== undefined) throw this.#error(refusal, this.#here());
    if (word === "if" || word === "with") {
      this.#at += 1;
      return this.#condition(word, open);
    }
    const pipeline = this.#pipeline();
    this.#expect("close", '"}}" expected');
    return { kind: "print", pipeline };
  }

  #condition(kind: "if" | "with", open: Token): Part {
    return this.#nested(open, () => {
      const pipeline = this.#pipeline();
      this.#expect("close", '"}}" expected');
      const then = this.#parts();
      const otherwise = this.#otherwise(open);
      return { kind, pipeline, then, otherwise };
    });
  }

  #otherwise(open: Token): readonly Part[] {
    const at = this.#tokens[this.#at];
    const word = this.#wordAt(this.#at + 1);
    if (at === undefined || word === undefined) throw this.#error('"end" is missing', open);
    this.#at += 2;
    if (word === "end") {
      this.#expect("close", '"}}" expected');
      return [];
    }
    const next = this.#wordAt(this.#at);
    if (next === "if" || next === "with") {
      this.#at += 1;
      return [this.#condition(next, at)];
    }
    this.#expect("close", '"}}" expected');
    const parts = this.#parts();
    if (this.#wordAt(this.#at + 1) !== "end") throw this.#error('"end" is missing', open);
    this.#at += 2;
    this.#expect("close", '"}}" expected');
    return parts;
  }

  #pipeline(): Pipeline {
    const commands = [this.#command(true)];
    while (this.#here()?.kind === "pipe") {
      this.#at += 1;
      commands.push(this.#command(false));
    }
    return { commands };
  }

  #command(isFirst: boolean): Command {
    const offset = this.#here()?.offset ?? this.#source.length;
    const first = this.#operand();
    if (first === undefined) throw this.#error("a value is missing", this.#here());
    const rest: Operand[] = [];
    for (let next = this.#operand(); next !== undefined; next = this.#operand()) {
      if (next.kind === "function") throw this.#error("a call needs brackets around it", next);
      rest.push(next);
    }
    if (first.kind !== "function") {
      if (rest.length > 0) throw this.#error("only functions take arguments", first);
      if (!isFirst) throw this.#error("only functions can stand behind a |", first);
    }
    return { first, rest, offset };
  }

  #operand(): Operand | undefined {
    const token = this.#here();
    if (token === undefined) return undefined;
    const { offset } = token;
    switch (token.kind) {
      case "string":
        this.#at += 1;
        return { kind: "literal", value: token.text, offset };
      case "number":
        this.#at += 1;
        return { kind: "literal", value: token.value, offset };
      case "path":
        this.#at += 1;
        return token;
      case "word":
        this.#at += 1;
        return this.#word(token.text, offset);
      case "left":
        this.#at += 1;
        return this.#nested(token, () => {
          const pipeline = this.#pipeline();
          this.#expect("right", '")" expected');
          return { kind: "pipeline", pipeline, offset };
        });
      case "text":
      case "open":
      case "close":
      case "pipe":
      case "right":
        return undefined;
    }
  }

  #word(text: string, offset: number): Operand {
    if (text === "true" || text === "false") {
      return { kind: "literal", value: text === "true", offset };
    }
    if (!FUNCTIONS.has(text)) {
      const known = [...FUNCTIONS.keys()].sort().join(", ");
      throw new TemplateError(
        `there is no function ${quoteShort(text)}; there are ${known}`,
        this.#source,
        offset,
      );
    }
    return { kind: "function", name: text, offset };
  }

  #nested<T>(at: Token, read: () => T): T {
    this.#depth += 1;
    if (this.#depth > MAX_DEPTH) throw this.#error(`nested deeper than ${MAX_DEPTH}`, at);
    const result = read();
    this.#depth -= 1;
    return result;
  }

  #wordAt(index: number): string | undefined {
    const token = this.#tokens[index];
    return token?.kind === "word" ? token.text : undefined;
  }

  #here(): Token | undefined {
    return this.#tokens[this.#at];
  }

  #expect(kind: Token["kind"], message: string): void {
    const token = this.#here();
    if (token?.kind !== kind) throw this.#error(message, token);
    this.#at += 1;
  }

  #error(message: string, at: { readonly offset: number } | undefined): TemplateError {
    return new TemplateError(message, this.#source, at?.offset ?? this.#source.length);
  }
}
