import * as z from "zod";

/** What a schema says about the values it takes, without the wrappers around it. */
export interface InspectedSchema {
  /** The schema inside defaults, optionals and transforms. */
  readonly core: z.core.$ZodTypes;
  /** Whether a value must be given. */
  readonly required: boolean;
  /** What stands in for a value that is not given, as it would be written. */
  readonly defaultValue?: unknown;
  /** From `.describe(...)`, the outermost one. */
  readonly description?: string;
  /** From `.meta({ title })`: what to call the values, where their type says too little. */
  readonly title?: string;
}

/** Looks through the wrappers of a schema. */
export function inspectSchema(schema: z.core.$ZodType): InspectedSchema {
  let found: Omit<InspectedSchema, "core"> = { required: true };
  // zod types the schemas inside others by their common base; the union of all kinds is what they are.
  let current = schema as z.core.$ZodTypes;
  for (;;) {
    found = { ...readMeta(current), ...found };
    const { def } = current._zod;
    switch (def.type) {
      case "default":
      case "prefault":
        found = { defaultValue: def.defaultValue, ...found, required: false };
        current = def.innerType as z.core.$ZodTypes;
        break;
      case "optional":
        found = { ...found, required: false };
        current = def.innerType as z.core.$ZodTypes;
        break;
      case "nonoptional":
      case "nullable":
      case "readonly":
      case "catch":
        current = def.innerType as z.core.$ZodTypes;
        break;
      case "pipe":
        // What is written in the file is what goes in.
        current = def.in as z.core.$ZodTypes;
        break;
      case "lazy":
        current = def.getter() as z.core.$ZodTypes;
        break;
      default:
        return { core: current, ...found };
    }
  }
}

/** The schemas that may hold at `path` below `schema`; several where a union leaves it open. */
export function schemasAt(
  schema: z.core.$ZodType,
  path: readonly PropertyKey[],
): readonly z.core.$ZodTypes[] {
  const { def } = inspectSchema(schema).core._zod;
  if (def.type === "union") return def.options.flatMap((option) => schemasAt(option, path));
  const [key, ...rest] = path;
  if (key === undefined) return [inspectSchema(schema).core];
  if (def.type === "object") {
    const child = def.shape[String(key)];
    return child === undefined ? [] : schemasAt(child, rest);
  }
  if (def.type === "array") return schemasAt(def.element, rest);
  if (def.type === "record") return schemasAt(def.valueType, rest);
  return [];
}

/** The keys that maps at `path` below `schema` may have. */
export function keysAt(schema: z.core.$ZodType, path: readonly PropertyKey[]): readonly string[] {
  const keys = schemasAt(schema, path).flatMap(({ _zod: { def } }) =>
    def.type === "object" ? Object.keys(def.shape) : [],
  );
  return [...new Set(keys)];
}

function readMeta(schema: z.core.$ZodType): { description?: string; title?: string } {
  const { description, title } = z.globalRegistry.get(schema) ?? {};
  return {
    ...(description === undefined ? {} : { description }),
    ...(title === undefined ? {} : { title }),
  };
}
