/** What a template may hold in its hands: plain data, never a function and never an object with behaviour. */
export type TemplateValue =
  | string
  | number
  | boolean
  | TemplateRecord
  | TemplateMap
  | readonly TemplateValue[];

/** Keys that somebody chose, such as labels. A key that is not there reads as the empty string. */
export class TemplateMap {
  readonly entries: ReadonlyMap<string, string>;

  constructor(entries: Readonly<Record<string, string>>) {
    this.entries = new Map(Object.entries(entries));
  }

  get(key: string): string {
    return this.entries.get(key) ?? "";
  }
}

/** A thing with named fields, such as a pod's metadata. Reading a field that it does not have is an error. */
export class TemplateRecord {
  readonly #fields: ReadonlyMap<string, TemplateValue>;

  constructor(fields: Readonly<Record<string, TemplateValue>>) {
    this.#fields = new Map(Object.entries(fields));
  }

  get(name: string): TemplateValue | undefined {
    return this.#fields.get(name);
  }

  /** For the message when a field is not there. */
  get names(): readonly string[] {
    return [...this.#fields.keys()];
  }
}

/** Whether a value counts as true in a condition: not empty, not zero, not false. */
export function isTrue(value: TemplateValue): boolean {
  if (value instanceof TemplateMap) return value.entries.size > 0;
  if (value instanceof TemplateRecord) return true;
  if (Array.isArray(value)) return value.length > 0;
  return value !== "" && value !== 0 && value !== false;
}

/** The kind of a value in words, for messages. */
export function kindOf(value: TemplateValue): string {
  if (value instanceof TemplateMap) return "a map";
  if (value instanceof TemplateRecord) return "a record";
  if (Array.isArray(value)) return "a list";
  return typeof value === "string" ? "a text" : `a ${typeof value}`;
}
