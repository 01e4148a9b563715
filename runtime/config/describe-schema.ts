import * as z from "zod";
import { inspectSchema } from "./inspect-schema.ts";

/** One key of a configuration, for its reference. */
export interface SettingRow {
  /** "listen.port", "operators[].id", "labels.*" */
  readonly path: string;
  /** "integer, 1 to 65535", "list of string", '"disk" or "memory"' */
  readonly type: string;
  readonly required: boolean;
  /** What holds if the key is absent, as it would be written; absent for maps, whose keys have their own. */
  readonly defaultText?: string;
  readonly description?: string;
  /** For keys of one alternative of several: 'type: "disk"'. */
  readonly when?: string;
}

/** All keys that a schema takes, in the order of the schema, a map before its keys. */
export function describeSchema(schema: z.core.$ZodType): readonly SettingRow[] {
  return describe(schema, "", undefined);
}

function describe(
  schema: z.core.$ZodType,
  path: string,
  when: string | undefined,
): readonly SettingRow[] {
  const { core, required, defaultValue, description, title } = inspectSchema(schema);
  const text = formatDefault(defaultValue);
  const row: SettingRow = {
    path,
    type: title ?? typeOf(core),
    required,
    ...(text === undefined ? {} : { defaultText: text }),
    ...(description === undefined ? {} : { description }),
    ...(when === undefined ? {} : { when }),
  };
  return [...(path === "" ? [] : [row]), ...children(core, path, when)];
}

function children(
  core: z.core.$ZodTypes,
  path: string,
  when: string | undefined,
): readonly SettingRow[] {
  const { def } = core._zod;
  switch (def.type) {
    case "object":
      return Object.entries(def.shape).flatMap(([key, child]) =>
        describe(child, path === "" ? key : `${path}.${key}`, when),
      );
    case "array":
      return below(def.element, `${path}[]`, when);
    case "record":
      return below(def.valueType, `${path}.*`, when);
    case "union":
      return alternatives(
        def.options.map((option) => {
          const inner = inspectSchema(option).core;
          return children(inner, path, alternativeOf(inner) ?? when);
        }),
        when,
      );
    default:
      return [];
  }
}

/** The keys of alternatives: those that every one of them has, then each one's own. */
function alternatives(
  options: readonly (readonly SettingRow[])[],
  when: string | undefined,
): readonly SettingRow[] {
  const keyOf = ({ when: _, ...row }: SettingRow): string => JSON.stringify(row);
  const [first = [], ...others] = options;
  const isCommon = (row: SettingRow): boolean =>
    others.length > 0 && others.every((rows) => rows.some((other) => keyOf(other) === keyOf(row)));
  const common = first.filter(isCommon);
  const withoutWhen = common.map(({ when: _, ...row }) => ({
    ...row,
    ...(when === undefined ? {} : { when }),
  }));
  const own = options.flat().filter((row) => !common.some((each) => keyOf(each) === keyOf(row)));
  return [...withoutWhen, ...own];
}

/** The keys of the members of a collection; a member without keys is described by the collection's own row. */
function below(
  member: z.core.$ZodType,
  path: string,
  when: string | undefined,
): readonly SettingRow[] {
  return children(inspectSchema(member).core, path, when);
}

/** What tells one alternative from the others: its key with a fixed value. */
function alternativeOf(core: z.core.$ZodTypes): string | undefined {
  const { def } = core._zod;
  if (def.type !== "object") return undefined;
  for (const [key, child] of Object.entries(def.shape)) {
    const { def: childDef } = inspectSchema(child).core._zod;
    if (childDef.type === "literal") return `${key}: ${formatChoices(childDef.values)}`;
  }
  return undefined;
}

function typeOf(core: z.core.$ZodTypes): string {
  const { def } = core._zod;
  switch (def.type) {
    case "object":
    case "record":
      return "map";
    case "array": {
      const { core: element, title } = inspectSchema(def.element);
      return `list of ${title ?? typeOf(element)}`;
    }
    case "enum":
      return formatChoices(Object.values(def.entries));
    case "literal":
      return formatChoices(def.values);
    case "union":
      return [...new Set(def.options.map((option) => typeOf(inspectSchema(option).core)))].join(
        " or ",
      );
    case "number":
      return core instanceof z.ZodNumber ? typeOfNumber(core) : "number";
    default:
      return def.type;
  }
}

function typeOfNumber(schema: z.ZodNumber): string {
  const name = schema.isInt ? "integer" : "number";
  // zod names the range of safe integers where nothing narrower was asked for.
  const isBound = (value: number | null): boolean =>
    value !== null && Math.abs(value) < Number.MAX_SAFE_INTEGER;
  const { minValue, maxValue } = schema;
  if (isBound(minValue)) {
    return isBound(maxValue)
      ? `${name}, ${minValue} to ${maxValue}`
      : `${name}, at least ${minValue}`;
  }
  return isBound(maxValue) ? `${name}, at most ${maxValue}` : name;
}

function formatChoices(values: readonly unknown[]): string {
  return values.map((value) => JSON.stringify(value)).join(" or ");
}

function formatDefault(value: unknown): string | undefined {
  if (value === undefined) return undefined;
  const isEmptyMap = typeof value === "object" && value !== null && Object.keys(value).length === 0;
  if (isEmptyMap && !Array.isArray(value)) return undefined;
  return typeof value === "string" ? value : JSON.stringify(value);
}
