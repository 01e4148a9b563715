import { isJsonArray, isJsonObject, type JsonObject, type JsonValue } from "./strict-json.ts";

/** JSON as JavaScript programs expect it, except that an integer a double cannot hold stays a bigint. */
export type PlainJson =
  | null
  | boolean
  | number
  | bigint
  | string
  | readonly PlainJson[]
  | PlainJsonObject;

/** Has no prototype, so looking up a name never finds anything that was not in the text. */
export interface PlainJsonObject {
  readonly [name: string]: PlainJson | undefined;
}

/** Turns the bigints of a lossless value into numbers wherever that loses nothing. */
export function toPlainJson(value: JsonValue): PlainJson {
  if (typeof value === "bigint") {
    const number = Number(value);
    return Number.isSafeInteger(number) ? number : value;
  }
  if (isJsonArray(value)) return value.map(toPlainJson);
  if (isJsonObject(value)) return toPlainJsonObject(value);
  return value;
}

/** The same for an object. */
export function toPlainJsonObject(object: JsonObject): PlainJsonObject {
  const plain: Record<string, PlainJson> = Object.create(null);
  for (const [name, value] of Object.entries(object)) {
    if (value !== undefined) plain[name] = toPlainJson(value);
  }
  return plain;
}

/** Writes a value as JSON without white space; bigints as integers of any size. */
export function formatJson(value: PlainJson): string {
  if (typeof value === "bigint") return value.toString();
  if (typeof value === "number" && !Number.isFinite(value)) {
    throw new RangeError("not a number that JSON knows");
  }
  if (typeof value !== "object" || value === null) return JSON.stringify(value);
  if (isArray(value)) return `[${value.map(formatJson).join(",")}]`;
  const members: string[] = [];
  for (const [name, member] of Object.entries(value)) {
    if (member !== undefined) members.push(`${JSON.stringify(name)}:${formatJson(member)}`);
  }
  return `{${members.join(",")}}`;
}

function isArray(value: PlainJson): value is readonly PlainJson[] {
  return Array.isArray(value);
}
