/** Reads JSON from outside: every value has the expected type, or the whole item is refused. */
export type Fields = Readonly<Record<string, unknown>>;

/** An item is not as it should be. Says nothing of what it holds. */
export class UnexpectedShape extends Error {
  override readonly name = "UnexpectedShape";
}

const maxText = 4096;

export function isFields(value: unknown): value is Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** An object. @throws {UnexpectedShape} */
export function fields(value: unknown): Fields {
  if (!isFields(value)) throw new UnexpectedShape("no object");
  return value;
}

/** A list; absent and null are empty. @throws {UnexpectedShape} */
export function list(value: unknown): readonly unknown[] {
  if (value === undefined || value === null) return [];
  if (!Array.isArray(value)) throw new UnexpectedShape("no list");
  return value;
}

/** A text of at most 4096 characters, which may be empty. @throws {UnexpectedShape} */
export function text(value: unknown): string {
  if (typeof value !== "string") throw new UnexpectedShape("no text");
  if (value.length > maxText) throw new UnexpectedShape("text is too long");
  return value;
}

/** The same, but not empty. @throws {UnexpectedShape} */
export function required(value: unknown): string {
  if (value === "") throw new UnexpectedShape("text is empty");
  return text(value);
}

/** An object of texts; absent and null are empty. @throws {UnexpectedShape} */
export function texts(value: unknown): Readonly<Record<string, string>> {
  return Object.fromEntries(
    Object.entries(fields(value ?? {})).map(([key, each]) => [key, text(each)]),
  );
}
