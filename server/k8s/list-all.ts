import { isDeepStrictEqual } from "node:util";
import { type Held, type Keyed, keyOf } from "./held.ts";
import { fieldOf, type KubeClient, type Parse } from "./kube-client.ts";
import { isKubeError, KubeError } from "./kube-error.ts";
import type { Resource, Scope } from "./resources.ts";

const PAGE_SIZE = 250;

/** Everything of one kind, and the version that it is true for. */
export interface Listed<T> {
  readonly held: Map<string, Held<T>>;
  readonly resourceVersion: string;
}

/**
 * Lists everything in pages that fit: where objects are so large that a page exceeds the limit, in smaller ones. Raw objects
 * live no longer than their page, and those that have not changed since `previous` keep their value.
 *
 * @throws {KubeError}
 */
export async function listAll<T extends Keyed>(
  deps: {
    readonly client: Pick<KubeClient, "listPage">;
    readonly resource: Resource;
    readonly scope?: Scope;
    readonly parse: Parse<T>;
    readonly previous: ReadonlyMap<string, Held<T>>;
    /** Told of each object that `parse` refuses; it is left out. */
    readonly refused: (key: string, err: unknown) => void;
  },
  signal: AbortSignal,
): Promise<Listed<T>> {
  const { client, resource, scope = {}, previous } = deps;
  const held = new Map<string, Held<T>>();
  let continueToken: string | undefined;
  let limit = PAGE_SIZE;
  for (;;) {
    let page: Awaited<ReturnType<KubeClient["listPage"]>>;
    try {
      page = await client.listPage(resource, scope, { limit, continueToken }, signal);
    } catch (err) {
      if (!isKubeError(err, "too_large") || limit === 1) throw err;
      limit = Math.ceil(limit / 8);
      continue;
    }
    for (const raw of page.items) {
      const object = readObject(raw);
      const known = previous.get(object.key);
      if (known?.version === object.version) {
        held.set(object.key, known);
        continue;
      }
      try {
        const value = deps.parse(raw);
        const isSame = known !== undefined && isDeepStrictEqual(known.value, value);
        held.set(object.key, { value: isSame ? known.value : value, version: object.version });
      } catch (err) {
        deps.refused(object.key, err);
      }
    }
    if (page.continueToken === undefined) {
      return { held, resourceVersion: page.resourceVersion };
    }
    continueToken = page.continueToken;
  }
}

/** The key and version of a raw object. @throws {KubeError} malformed */
export function readObject(raw: unknown): { readonly key: string; readonly version: string } {
  const metadata = fieldOf(raw, "metadata");
  const name = fieldOf(metadata, "name");
  const namespace = fieldOf(metadata, "namespace");
  if (typeof name !== "string") throw new KubeError("malformed", "an object without a name");
  return {
    key: keyOf({ name, namespace: typeof namespace === "string" ? namespace : undefined }),
    version: readVersion(raw),
  };
}

/** The resourceVersion of a raw object. @throws {KubeError} malformed */
export function readVersion(raw: unknown): string {
  const version = fieldOf(fieldOf(raw, "metadata"), "resourceVersion");
  if (typeof version === "string" && version !== "") return version;
  throw new KubeError("malformed", "an object without a resourceVersion");
}
