import type { Command, Operand, Part, Pipeline } from "./syntax-tree.ts";
import { quoteShort, TemplateError } from "./template-error.ts";
import { FUNCTIONS, printed } from "./template-functions.ts";
import {
  isTrue,
  kindOf,
  TemplateMap,
  TemplateRecord,
  type TemplateValue,
} from "./template-value.ts";

/** Longest output, and longest value on the way to it, in UTF-16 units. */
const MAX_OUTPUT = 8192;
/** Most operands and calls that are evaluated. */
const MAX_STEPS = 10_000;

/** @throws {TemplateError} when the data does not fit, or a limit is passed */
export function renderParts(source: string, parts: readonly Part[], data: TemplateRecord): string {
  return new Rendering(source, data).parts(parts, data);
}

class Rendering {
  readonly #source: string;
  readonly #data: TemplateRecord;
  #steps = 0;

  constructor(source: string, data: TemplateRecord) {
    this.#source = source;
    this.#data = data;
  }

  parts(parts: readonly Part[], dot: TemplateValue): string {
    let output = "";
    for (const part of parts) {
      output += this.#part(part, dot);
      if (output.length > MAX_OUTPUT) {
        throw this.#error(`gives more than ${MAX_OUTPUT} characters`, 0);
      }
    }
    return output;
  }

  #part(part: Part, dot: TemplateValue): string {
    if (part.kind === "text") return part.text;
    const value = this.#pipeline(part.pipeline, dot);
    if (part.kind === "print") {
      return this.#call(part.pipeline.commands[0]?.offset ?? 0, () => printed(value));
    }
    if (!isTrue(value)) return this.parts(part.otherwise, dot);
    return this.parts(part.then, part.kind === "with" ? value : dot);
  }

  #pipeline({ commands }: Pipeline, dot: TemplateValue): TemplateValue {
    let value: TemplateValue | undefined;
    for (const command of commands) value = this.#command(command, dot, value);
    return value ?? "";
  }

  #command(
    { first, rest, offset }: Command,
    dot: TemplateValue,
    piped: TemplateValue | undefined,
  ): TemplateValue {
    if (first.kind !== "function") return this.#operand(first, dot);
    const args = rest.map((operand) => this.#operand(operand, dot));
    if (piped !== undefined) args.push(piped);
    return this.#call(offset, () => FUNCTIONS.get(first.name)?.(args) ?? "");
  }

  #operand(operand: Operand, dot: TemplateValue): TemplateValue {
    this.#steps += 1;
    if (this.#steps > MAX_STEPS) throw this.#error("takes too many steps", operand.offset);
    switch (operand.kind) {
      case "literal":
        return operand.value;
      case "pipeline":
        return this.#pipeline(operand.pipeline, dot);
      case "function":
        return this.#call(operand.offset, () => FUNCTIONS.get(operand.name)?.([]) ?? "");
      case "path":
        return operand.path.reduce<TemplateValue>(
          (from, name) => this.#field(from, name, operand.offset),
          operand.root ? this.#data : dot,
        );
    }
  }

  #field(from: TemplateValue, name: string, offset: number): TemplateValue {
    if (from instanceof TemplateMap) return from.get(name);
    const value = from instanceof TemplateRecord ? from.get(name) : undefined;
    if (value !== undefined) return value;
    throw this.#error(`${kindOf(from)} has no field ${quoteShort(name)}`, offset);
  }

  #call<T extends TemplateValue>(offset: number, run: () => T): T {
    let value: T;
    try {
      value = run();
    } catch (err) {
      throw this.#error(err instanceof Error ? err.message : "failed", offset);
    }
    if (typeof value === "string" && value.length > MAX_OUTPUT) {
      throw this.#error(`gives more than ${MAX_OUTPUT} characters`, offset);
    }
    return value;
  }

  #error(message: string, offset: number): TemplateError {
    return new TemplateError(message, this.#source, offset);
  }
}
