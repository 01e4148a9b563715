import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { parse } from "yaml";
import { chart } from "../helm/manifests.ts";
import { code, GENERATED, prose, table } from "./markdown.ts";

/** What the page uses of a JSON schema. */
export interface ValueSchema {
  readonly type?: string;
  readonly description?: string;
  readonly enum?: readonly string[];
  readonly properties?: Readonly<Record<string, ValueSchema>>;
  readonly additionalProperties?: boolean | ValueSchema;
  readonly items?: ValueSchema;
}

/** A value of the chart. */
export interface ValueRow {
  readonly path: string;
  readonly type: string;
  readonly description: string;
}

const INTRODUCTION = `# Values of the chart

Of \`deploy/helm/assay\`. An unknown value or one of the wrong form is refused before anything is installed. What to do with them:
[Kubernetes](operations/kubernetes.md).
`;

/** docs/chart-values.md, from the chart's schema and defaults. */
export async function chartValuesPage(): Promise<string> {
  const schema: ValueSchema = JSON.parse(await readFile(join(chart, "values.schema.json"), "utf8"));
  const defaults: unknown = parse(await readFile(join(chart, "values.yaml"), "utf8"));
  return [
    GENERATED,
    INTRODUCTION,
    table(
      ["value", "type", "default", "meaning"],
      valueRows(schema).map(({ path, type, description }) => [
        code(path),
        prose(type),
        defaultOf(defaults, path),
        prose(description),
      ]),
    ),
  ].join("\n");
}

/** Every value that can be set, in the order of the schema. */
export function valueRows(schema: ValueSchema, path = ""): readonly ValueRow[] {
  return Object.entries(schema.properties ?? {}).flatMap(([name, value]) => {
    const full = path === "" ? name : `${path}.${name}`;
    if (value.properties !== undefined) return valueRows(value, full);
    const row = { path: full, type: typeOf(value), description: value.description ?? "" };
    const member = value.additionalProperties;
    return typeof member === "object" && member.properties !== undefined
      ? [row, ...valueRows(member, `${full}.NAME`)]
      : [row];
  });
}

function typeOf({ type, enum: choices, items }: ValueSchema): string {
  if (choices !== undefined) return choices.map((choice) => JSON.stringify(choice)).join(" or ");
  if (type === "array") return `list of ${items === undefined ? "any" : typeOf(items)}`;
  return type === "object" ? "map" : (type ?? "any");
}

function defaultOf(defaults: unknown, path: string): string {
  const value = path
    .split(".")
    .reduce<unknown>(
      (part, name) =>
        typeof part === "object" && part !== null ? Reflect.get(part, name) : undefined,
      defaults,
    );
  return value === undefined || value === "" ? "" : code(textOf(value));
}

function textOf(value: unknown): string {
  return typeof value === "string" ? value : JSON.stringify(value);
}
