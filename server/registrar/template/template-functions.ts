import { formatText } from "./format-text.ts";
import {
  isTrue,
  kindOf,
  TemplateMap,
  TemplateRecord,
  type TemplateValue,
} from "./template-value.ts";

/** A function of templates. Throws an Error whose message says what is wrong with the arguments. */
export type TemplateFunction = (args: readonly TemplateValue[]) => TemplateValue;

/** How many arguments a function takes. */
interface Arity {
  readonly least: number;
  readonly most: number;
}

/**
 * The functions that templates may call: those of Go's text/template that make sense for one line of text, and the string
 * functions that people know from Helm, with the text as last argument so that it can come through a pipe. There are none with
 * regular expressions: a pattern that backtracks would stop the registrar.
 */
export const FUNCTIONS: ReadonlyMap<string, TemplateFunction> = new Map([
  define("and", { least: 1, most: 16 }, (args) => args.find((a) => !isTrue(a)) ?? last(args)),
  define("or", { least: 1, most: 16 }, (args) => args.find(isTrue) ?? last(args)),
  define("not", { least: 1, most: 1 }, ([value]) => !isTrue(given(value))),
  define("eq", { least: 2, most: 16 }, ([first, ...others]) =>
    others.some((other) => compare(given(first), other) === 0),
  ),
  define("ne", { least: 2, most: 2 }, ([a, b]) => compare(given(a), given(b)) !== 0),
  define("lt", { least: 2, most: 2 }, ([a, b]) => compare(given(a), given(b)) < 0),
  define("le", { least: 2, most: 2 }, ([a, b]) => compare(given(a), given(b)) <= 0),
  define("gt", { least: 2, most: 2 }, ([a, b]) => compare(given(a), given(b)) > 0),
  define("ge", { least: 2, most: 2 }, ([a, b]) => compare(given(a), given(b)) >= 0),
  define("index", { least: 2, most: 8 }, ([from, ...keys]) => keys.reduce(elementOf, given(from))),
  define("len", { least: 1, most: 1 }, ([value]) => lengthOf(given(value))),
  define("print", { least: 0, most: 16 }, (args) => args.map(printed).join("")),
  define("printf", { least: 1, most: 16 }, ([format, ...args]) => formatText(text(format), args)),
  define("default", { least: 2, most: 2 }, ([fallback, value]) =>
    given(isTrue(given(value)) ? value : fallback),
  ),
  define("lower", { least: 1, most: 1 }, ([value]) => text(value).toLowerCase()),
  define("upper", { least: 1, most: 1 }, ([value]) => text(value).toUpperCase()),
  define("trim", { least: 1, most: 1 }, ([value]) => text(value).trim()),
  define("trimPrefix", { least: 2, most: 2 }, ([prefix, value]) =>
    text(value).startsWith(text(prefix)) ? text(value).slice(text(prefix).length) : text(value),
  ),
  define("trimSuffix", { least: 2, most: 2 }, ([suffix, value]) =>
    text(value).endsWith(text(suffix))
      ? text(value).slice(0, text(value).length - text(suffix).length)
      : text(value),
  ),
  define("replace", { least: 3, most: 3 }, ([from, to, value]) => {
    if (text(from) === "") throw new Error("there is nothing to replace in the empty text");
    return text(value).replaceAll(text(from), () => text(to));
  }),
  define("trunc", { least: 2, most: 2 }, ([count, value]) => {
    if (typeof count !== "number") throw new Error("trunc takes a number first");
    return count < 0 ? text(value).slice(count) : text(value).slice(0, count);
  }),
  define("contains", { least: 2, most: 2 }, ([part, value]) => text(value).includes(text(part))),
  define("hasPrefix", { least: 2, most: 2 }, ([part, value]) => text(value).startsWith(text(part))),
  define("hasSuffix", { least: 2, most: 2 }, ([part, value]) => text(value).endsWith(text(part))),
]);

function define(
  name: string,
  { least, most }: Arity,
  run: TemplateFunction,
): readonly [string, TemplateFunction] {
  const wanted = least === most ? `${least}` : `${least} to ${most}`;
  return [
    name,
    (args) => {
      if (args.length >= least && args.length <= most) return run(args);
      throw new Error(`${name} takes ${wanted} arguments and got ${args.length}`);
    },
  ];
}

/** A value as text. Maps, records and lists have none: what Go writes for them is never what was meant. */
export function printed(value: TemplateValue): string {
  if (typeof value === "string") return value;
  if (typeof value === "number" || typeof value === "boolean") return String(value);
  throw new Error(`${kindOf(value)} cannot be printed, name one of its elements`);
}

function text(value: TemplateValue | undefined): string {
  if (typeof value === "string") return value;
  throw new Error(
    `a text is expected and ${value === undefined ? "nothing" : kindOf(value)} given`,
  );
}

// The number of arguments has been checked.
function given(value: TemplateValue | undefined): TemplateValue {
  return value ?? "";
}

function last(args: readonly TemplateValue[]): TemplateValue {
  return given(args.at(-1));
}

function compare(a: TemplateValue, b: TemplateValue): number {
  if (typeof a === "object" || typeof b === "object" || typeof a !== typeof b) {
    throw new Error(`${kindOf(a)} and ${kindOf(b)} cannot be compared`);
  }
  return a === b ? 0 : a < b ? -1 : 1;
}

function elementOf(from: TemplateValue, key: TemplateValue): TemplateValue {
  if (from instanceof TemplateMap) return from.get(text(key));
  if (Array.isArray(from)) {
    const element = typeof key === "number" ? from[key] : undefined;
    if (element !== undefined) return element;
    throw new Error(`the list has no element ${printed(key)}`);
  }
  throw new Error(`${kindOf(from)} has no elements`);
}

function lengthOf(value: TemplateValue): number {
  if (value instanceof TemplateMap) return value.entries.size;
  if (typeof value === "string") return Buffer.byteLength(value);
  if (Array.isArray(value)) return value.length;
  throw new Error(
    `${kindOf(value)} has no length${value instanceof TemplateRecord ? ", name a field" : ""}`,
  );
}
