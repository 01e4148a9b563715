import { readFile } from "node:fs/promises";
import { type Document, parseDocument } from "yaml";
import type * as z from "zod";
import { keysAt } from "./inspect-schema.ts";
import { nearestWord } from "./nearest.ts";

/** Something in a configuration that is not as it has to be. */
export interface ConfigProblem {
  /** "listen.port"; empty for the document as a whole. */
  readonly path: string;
  /** What stands there, shortened; absent where nothing does. */
  readonly value?: string;
  /** What was expected. */
  readonly message: string;
}

/** A configuration that cannot be used, with every problem that was found in it. */
export class ConfigError extends Error {
  override readonly name = "ConfigError";
  readonly problems: readonly ConfigProblem[];

  /** @param source the file, or where else the text came from */
  constructor(source: string, problems: readonly ConfigProblem[]) {
    super(`${source}: ${problems.map(formatProblem).join("\n")}`);
    this.problems = problems;
  }
}

const MAX_BYTES = 1024 * 1024;
const MAX_VALUE_LENGTH = 60;
const MAX_ALIASES = 100;

/**
 * Reads a YAML file and decodes it.
 *
 * @throws {ConfigError} with all problems at once
 */
export async function loadConfig<T>(schema: z.ZodType<T>, path: string): Promise<T> {
  let bytes: Buffer;
  try {
    bytes = await readFile(path);
  } catch (cause) {
    const code = cause instanceof Error && "code" in cause ? String(cause.code) : "unknown error";
    throw new ConfigError(path, [{ path: "", message: `cannot be read (${code})` }]);
  }
  if (bytes.length > MAX_BYTES) {
    throw new ConfigError(path, [{ path: "", message: "expected at most 1 MiB" }]);
  }
  return parseConfig(schema, bytes.toString("utf8"), path);
}

/**
 * Decodes the text of a YAML file. An empty text is an empty map.
 *
 * @throws {ConfigError} with all problems at once
 */
export function parseConfig<T>(schema: z.ZodType<T>, text: string, source: string): T {
  // No merge keys, no custom tags, few aliases: a configuration is data, and data that unfolds is an attack or a mistake.
  const document = parseDocument(text, { strict: true, uniqueKeys: true, merge: false });
  if (document.errors.length > 0) {
    throw new ConfigError(
      source,
      document.errors.map((err) => ({ path: "", message: firstLine(err.message) })),
    );
  }
  return decodeConfig(schema, unfold(document, source), source);
}

/**
 * Decodes a value that was read already.
 *
 * @throws {ConfigError} with all problems at once
 */
export function decodeConfig<T>(schema: z.ZodType<T>, value: unknown, source: string): T {
  const decoded = schema.safeParse(value, { reportInput: true });
  if (decoded.success) return decoded.data;
  throw new ConfigError(
    source,
    decoded.error.issues.flatMap((issue) => problemsOf(issue, value, schema)),
  );
}

function unfold(document: Document.Parsed, source: string): unknown {
  try {
    return document.toJS({ maxAliasCount: MAX_ALIASES }) ?? {};
  } catch {
    throw new ConfigError(source, [{ path: "", message: "unfolds to too much" }]);
  }
}

function problemsOf(
  issue: z.core.$ZodIssue,
  root: unknown,
  schema: z.ZodType,
): readonly ConfigProblem[] {
  if (issue.code === "unrecognized_keys") {
    return issue.keys.map((key) => {
      const meant = nearestWord(key, keysAt(schema, issue.path));
      const hint = meant === undefined ? "" : `, did you mean "${meant}"?`;
      return { path: formatPath([...issue.path, key]), message: `unknown key${hint}` };
    });
  }
  const found = valueAt(root, issue.path);
  const problem = { path: formatPath(issue.path), message: messageOf(issue, found) };
  return [found === undefined ? problem : { ...problem, value: show(found) }];
}

function messageOf(issue: z.core.$ZodIssue, found: unknown): string {
  if (found === undefined && issue.code === "invalid_type") return "is required";
  switch (issue.code) {
    case "invalid_type":
      // zod's own wording says less than the schema's, if it has any.
      return issue.message.startsWith("Invalid input")
        ? `expected ${issue.expected}`
        : issue.message;
    case "invalid_value":
      return `expected ${issue.values.map((value) => JSON.stringify(value)).join(" or ")}`;
    case "too_small":
      return `expected ${bound(issue.origin, issue.inclusive === false ? "more than" : "at least", issue.minimum)}`;
    case "too_big":
      return `expected ${bound(issue.origin, issue.inclusive === false ? "less than" : "at most", issue.maximum)}`;
    case "invalid_union":
      return "note" in issue && issue.note !== undefined
        ? `expected another ${String(issue.path.at(-1) ?? "kind")}`
        : "expected another value";
    default:
      return issue.message;
  }
}

function bound(origin: string, relation: string, limit: number | bigint): string {
  const unit = origin === "string" ? " characters" : origin === "array" ? " items" : "";
  return `${relation} ${limit}${unit}`;
}

function valueAt(root: unknown, path: readonly PropertyKey[]): unknown {
  let value = root;
  for (const key of path) {
    if (typeof value !== "object" || value === null) return undefined;
    value = Object.entries(value).find(([name]) => name === String(key))?.[1];
  }
  return value;
}

function formatPath(path: readonly PropertyKey[]): string {
  return path
    .map((key) => (typeof key === "number" ? `[${key}]` : `.${String(key)}`))
    .join("")
    .replace(/^\./, "");
}

function show(value: unknown): string {
  const text = JSON.stringify(value) ?? String(value);
  return text.length > MAX_VALUE_LENGTH ? `${text.slice(0, MAX_VALUE_LENGTH)}...` : text;
}

function formatProblem({ path, value, message }: ConfigProblem): string {
  const got = value === undefined ? "" : `, got ${value}`;
  return path === "" ? `${message}${got}` : `${path}: ${message}${got}`;
}

function firstLine(text: string): string {
  return text.split("\n", 1)[0] ?? text;
}
