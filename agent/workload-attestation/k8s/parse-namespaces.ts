import { fields, list, required, text, texts } from "./read-fields.ts";

/** A namespace with what is used of it. */
export interface NamespaceMetadata {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
}

/** One page of a list. */
export interface NamespacePage {
  readonly namespaces: readonly NamespaceMetadata[];
  /** Where a watch goes on. */
  readonly version: string;
  /** Where the next page begins; "" for the last one. */
  readonly next: string;
}

/** One line of a watch. */
export type NamespaceEvent =
  | ({ readonly kind: "set"; readonly version: string } & NamespaceMetadata)
  | { readonly kind: "deleted"; readonly version: string; readonly name: string }
  | { readonly kind: "bookmark"; readonly version: string }
  /** The API server cannot go on from that version, or has a problem: list again. */
  | { readonly kind: "gone" };

/** Reads a list of namespaces in JSON. @throws {Error} when it is none */
export function parseNamespacePage(json: string): NamespacePage {
  const { metadata, items } = fields(JSON.parse(json));
  const { resourceVersion, continue: next } = fields(metadata);
  return {
    namespaces: list(items).map((item) => metadataOf(item).namespace),
    version: required(resourceVersion),
    next: text(next ?? ""),
  };
}

/** Reads one event of a watch in JSON. @throws {Error} when it is none */
export function parseNamespaceEvent(json: string): NamespaceEvent {
  const { type, object } = fields(JSON.parse(json));
  switch (type) {
    case "ADDED":
    case "MODIFIED": {
      const { namespace, version } = metadataOf(object);
      return { kind: "set", version, ...namespace };
    }
    case "DELETED": {
      const { namespace, version } = metadataOf(object);
      return { kind: "deleted", version, name: namespace.name };
    }
    case "BOOKMARK":
      return { kind: "bookmark", version: required(fieldsOfMetadata(object)["resourceVersion"]) };
    default:
      return { kind: "gone" };
  }
}

function metadataOf(item: unknown): { namespace: NamespaceMetadata; version: string } {
  const { name, labels, resourceVersion } = fieldsOfMetadata(item);
  return {
    namespace: { name: required(name), labels: texts(labels) },
    version: required(resourceVersion),
  };
}

function fieldsOfMetadata(item: unknown): Readonly<Record<string, unknown>> {
  return fields(fields(item)["metadata"]);
}
