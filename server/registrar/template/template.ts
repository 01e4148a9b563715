/**
 * Templates of the custom resources: the part of Go's text/template that names one value. Nothing here evaluates code; a template
 * reads the fields that it is given and calls functions of a fixed list. There are no loops, and output and work are bounded, so
 * a template costs little whatever it says.
 */
import { parseTemplate } from "./parse-template.ts";
import { renderParts } from "./render-template.ts";
import { type Part, rootPaths } from "./syntax-tree.ts";
import { quoteShort, TemplateError } from "./template-error.ts";
import type { TemplateRecord } from "./template-value.ts";

/** The fields that data will have, for finding wrong names before there is any. */
export type TemplateShape = "value" | "any" | { readonly [field: string]: TemplateShape };

/** A template that was read and whose names exist. Immutable. */
export class Template {
  readonly #source: string;
  readonly #parts: readonly Part[];

  private constructor(source: string, parts: readonly Part[]) {
    this.#source = source;
    this.#parts = parts;
  }

  /** @throws {TemplateError} with the place and the rule that is broken */
  static parse(source: string, shape: TemplateShape): Template {
    const parts = parseTemplate(source);
    for (const { path, offset } of rootPaths(parts)) checkPath(path, shape, source, offset);
    return new Template(source, parts);
  }

  /** @throws {TemplateError} when the data does not fit, or the limits of work and output are passed */
  render(data: TemplateRecord): string {
    return renderParts(this.#source, this.#parts, data);
  }

  /** The fields that the template reads: "PodMeta.Labels.app", each once. */
  get paths(): readonly string[] {
    const paths = [...rootPaths(this.#parts)].map(({ path }) => path.join("."));
    return [...new Set(paths)].filter((path) => path !== "");
  }

  /** The template as it was written. */
  toString(): string {
    return this.#source;
  }
}

function checkPath(
  path: readonly string[],
  root: TemplateShape,
  source: string,
  offset: number,
): void {
  let shape = root;
  for (const [depth, name] of path.entries()) {
    if (shape === "any") return;
    const next = shape === "value" || !Object.hasOwn(shape, name) ? undefined : shape[name];
    if (next === undefined) {
      const parent = depth === 0 ? "the template's data" : `.${path.slice(0, depth).join(".")}`;
      const known = shape === "value" ? "none" : Object.keys(shape).join(", ");
      const message = `there is no field ${quoteShort(name)} in ${parent}; there are: ${known}`;
      throw new TemplateError(message, source, offset);
    }
    shape = next;
  }
}
