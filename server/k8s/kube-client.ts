import { errorOfAnswer, KubeError } from "./kube-error.ts";
import {
  collectionPath,
  describeRef,
  type ObjectRef,
  objectPath,
  type Resource,
  type Scope,
} from "./resources.ts";
import type { KubeAnswer, KubeRequest, Transport } from "./transport.ts";

/** Makes a value of a raw object; strict about what it reads and silent about the rest. @throws {Error} naming the field */
export type Parse<T> = (raw: unknown) => T;

/** A page of a list. */
export interface ListPage {
  readonly items: readonly unknown[];
  /** Version of the whole list, for a watch to go on from. */
  readonly resourceVersion: string;
  /** What to ask the next page with; undefined after the last. */
  readonly continueToken?: string | undefined;
}

/** One line of a watch. */
export interface WatchLine {
  readonly type: "ADDED" | "MODIFIED" | "DELETED" | "BOOKMARK";
  readonly object: unknown;
}

const TIMEOUT_MS = 10_000;
const LIST_TIMEOUT_MS = 30_000;
/** Five missed bookmarks: the API server sends one a minute. */
const IDLE_MS = 150_000;
const WATCH_SECONDS = 600;
/** An object has at most 1.5 MB in etcd; JSON escapes may multiply that. */
const MAX_OBJECT_BYTES = 12 * 1024 * 1024;
const MAX_PAGE_BYTES = 24 * 1024 * 1024;
const PAGE_SIZE = 250;

/**
 * Requests to one API server. Whatever comes back passes through a parser of the caller's, within a limit of size and time.
 * All throw {@link KubeError}, or the signal's reason when it aborts.
 */
export class KubeClient {
  readonly #transport: Transport;

  constructor(transport: Transport) {
    this.#transport = transport;
  }

  async get<T>(
    resource: Resource,
    ref: ObjectRef,
    parse: Parse<T>,
    signal: AbortSignal,
  ): Promise<T> {
    const path = objectPath(resource, ref);
    return this.#call(
      { method: "GET", path, what: `get ${describeRef(resource, ref)}` },
      parse,
      signal,
    );
  }

  /** Every object of a scope. For lists that stay small; what is large or changes is a WatchCache's. */
  async list<T>(
    resource: Resource,
    scope: Scope,
    parse: Parse<T>,
    signal: AbortSignal,
  ): Promise<readonly T[]> {
    const found: T[] = [];
    let page: ListPage | undefined;
    do {
      page = await this.listPage(resource, scope, { continueToken: page?.continueToken }, signal);
      for (const item of page.items) found.push(parse(item));
    } while (page.continueToken !== undefined);
    return found;
  }

  /** @throws {KubeError} gone when the list that `continueToken` belongs to is too old; too_large for the page */
  async listPage(
    resource: Resource,
    scope: Scope,
    page: { readonly limit?: number; readonly continueToken?: string | undefined },
    signal: AbortSignal,
  ): Promise<ListPage> {
    const path = collectionPath(resource, scope.namespace);
    const query = queryOf(scope, {
      limit: String(page.limit ?? PAGE_SIZE),
      continue: page.continueToken,
    });
    const request: KubeRequest = {
      method: "GET",
      path: path + query,
      what: `list ${resource.plural}`,
    };
    const limits = { timeoutMs: LIST_TIMEOUT_MS, maxBytes: MAX_PAGE_BYTES };
    const answer = await this.#transport.request(request, limits, signal);
    return parseListPage(request, successful(request, answer));
  }

  async create<T>(
    resource: Resource,
    place: { readonly namespace?: string },
    body: object,
    parse: Parse<T>,
    signal: AbortSignal,
  ): Promise<T> {
    const path = collectionPath(resource, place.namespace);
    const what = `create ${resource.plural}`;
    return this.#call({ method: "POST", path, body, what }, parse, signal);
  }

  /** Replaces an object; with metadata.resourceVersion in `body` only that version. @throws {KubeError} conflict */
  async replace<T>(
    resource: Resource,
    ref: ObjectRef,
    body: object,
    parse: Parse<T>,
    signal: AbortSignal,
  ): Promise<T> {
    const path = objectPath(resource, ref);
    const what = `replace ${describeRef(resource, ref)}`;
    return this.#call({ method: "PUT", path, body, what }, parse, signal);
  }

  /** Changes some fields of an object: a JSON merge patch (RFC 7396). */
  async merge<T>(
    resource: Resource,
    ref: ObjectRef,
    patch: object,
    parse: Parse<T>,
    signal: AbortSignal,
  ): Promise<T> {
    return this.#call(
      {
        method: "PATCH",
        path: objectPath(resource, ref),
        body: patch,
        contentType: "application/merge-patch+json",
        what: `change ${describeRef(resource, ref)}`,
      },
      parse,
      signal,
    );
  }

  /** Makes or changes an object so that it has the fields of `body`, which `fieldManager` owns from then on. */
  async apply<T>(
    resource: Resource,
    ref: ObjectRef,
    body: object,
    fieldManager: string,
    parse: Parse<T>,
    signal: AbortSignal,
  ): Promise<T> {
    const query = new URLSearchParams({ fieldManager, force: "true" });
    return this.#call(
      {
        method: "PATCH",
        path: `${objectPath(resource, ref)}?${query}`,
        body,
        contentType: "application/apply-patch+yaml",
        what: `apply ${describeRef(resource, ref)}`,
      },
      parse,
      signal,
    );
  }

  /** Deletes an object, if it is still the one with this UID. @throws {KubeError} not_found, conflict */
  async delete(
    resource: Resource,
    ref: ObjectRef,
    options: { readonly uid?: string },
    signal: AbortSignal,
  ): Promise<void> {
    const preconditions = options.uid === undefined ? {} : { preconditions: { uid: options.uid } };
    const body = { apiVersion: "v1", kind: "DeleteOptions", ...preconditions };
    const what = `delete ${describeRef(resource, ref)}`;
    await this.#call(
      { method: "DELETE", path: objectPath(resource, ref), body, what },
      () => {},
      signal,
    );
  }

  /**
   * Changes after a version, as they happen, with bookmarks in between. Resolves once the API server has agreed.
   *
   * @throws {KubeError} gone when the version is too old, here or while the lines are read
   */
  async watch(
    resource: Resource,
    scope: Scope,
    resourceVersion: string,
    signal: AbortSignal,
  ): Promise<AsyncIterable<WatchLine>> {
    const query = queryOf(scope, {
      watch: "true",
      allowWatchBookmarks: "true",
      timeoutSeconds: String(WATCH_SECONDS),
      resourceVersion,
    });
    const request: KubeRequest = {
      method: "GET",
      path: collectionPath(resource, scope.namespace) + query,
      what: `watch ${resource.plural}`,
    };
    const limits = { timeoutMs: LIST_TIMEOUT_MS, idleMs: IDLE_MS, maxLineBytes: MAX_OBJECT_BYTES };
    const stream = await this.#transport.open(request, limits, signal);
    if (stream.status === 200) return parseWatch(request, stream.lines);
    throw errorOfAnswer({ what: request.what, status: stream.status, body: await stream.text() });
  }

  async #call<T>(request: KubeRequest, parse: Parse<T>, signal: AbortSignal): Promise<T> {
    const limits = { timeoutMs: TIMEOUT_MS, maxBytes: MAX_OBJECT_BYTES };
    const answer = await this.#transport.request(request, limits, signal);
    const value = successful(request, answer);
    try {
      return parse(value);
    } catch (cause) {
      throw new KubeError("malformed", request.what, { cause });
    }
  }
}

function queryOf(scope: Scope, more: Readonly<Record<string, string | undefined>>): string {
  const query = new URLSearchParams();
  const { labelSelector, fieldSelector } = scope;
  for (const [key, value] of Object.entries({ labelSelector, fieldSelector, ...more })) {
    if (value !== undefined) query.set(key, value);
  }
  return `?${query}`;
}

function successful({ what }: KubeRequest, { status, body, retryAfter }: KubeAnswer): unknown {
  if (status < 200 || status > 299) throw errorOfAnswer({ what, status, body, retryAfter });
  return parseJson(what, body);
}

function parseJson(what: string, text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // The parser's message quotes the text, which may hold secrets.
    throw new KubeError("malformed", `${what}: the answer is not JSON`);
  }
}

function parseListPage({ what }: KubeRequest, value: unknown): ListPage {
  const items = fieldOf(value, "items");
  const metadata = fieldOf(value, "metadata");
  const resourceVersion = fieldOf(metadata, "resourceVersion");
  const continueToken = fieldOf(metadata, "continue");
  if (typeof resourceVersion !== "string" || !(Array.isArray(items) || items == null)) {
    throw new KubeError("malformed", `${what}: the answer is not a list`);
  }
  const isMore = typeof continueToken === "string" && continueToken !== "";
  return { items: items ?? [], resourceVersion, ...(isMore ? { continueToken } : {}) };
}

async function* parseWatch(
  { what }: KubeRequest,
  lines: AsyncIterable<string>,
): AsyncIterable<WatchLine> {
  for await (const line of lines) {
    const value = parseJson(what, line);
    const type = fieldOf(value, "type");
    const object = fieldOf(value, "object");
    switch (type) {
      case "ADDED":
      case "MODIFIED":
      case "DELETED":
      case "BOOKMARK":
        yield { type, object };
        break;
      case "ERROR":
        throw watchError(what, object);
      default:
        throw new KubeError("malformed", `${what}: a line is not a change`);
    }
  }
}

function watchError(what: string, status: unknown): KubeError {
  const code = Number(fieldOf(status, "code"));
  return errorOfAnswer({ what, status: code, body: JSON.stringify(status ?? {}) });
}

/** A field of a raw object; undefined where there is none. */
export function fieldOf(value: unknown, key: string): unknown {
  return typeof value === "object" && value !== null ? Reflect.get(value, key) : undefined;
}
