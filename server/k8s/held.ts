/** What identifies an object: by name among those that are there, by UID among all that ever were. */
export interface Keyed {
  readonly uid: string;
  readonly name: string;
  readonly namespace?: string | undefined;
}

/** An object as a cache holds it. */
export interface Held<T> {
  readonly value: T;
  /** Its resourceVersion: equal versions are equal objects. */
  readonly version: string;
}

/** Key of an object by its name. */
export function keyOf({ namespace, name }: Pick<Keyed, "namespace" | "name">): string {
  return namespace === undefined ? name : `${namespace}/${name}`;
}
