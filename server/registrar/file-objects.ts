import { parseNamespace } from "../k8s/objects/namespace.ts";
import { parseNode } from "../k8s/objects/node.ts";
import { parsePod } from "../k8s/objects/pod.ts";
import type { ClusterIndex } from "./cluster-index.ts";
import { parseResource, type ResourceReading } from "./resources/parse-resource.ts";
import { RESOURCE_TYPES } from "./resources/resource.ts";
import { parseService } from "./service.ts";

/**
 * Puts objects, as kubectl prints them or as somebody wrote them, into an index: pods, nodes, namespaces, services and custom
 * resources. Other kinds are passed over, lists are unfolded.
 *
 * @returns how many were taken
 * @throws {Error} naming the object that cannot be read
 */
export function putObjects(
  index: ClusterIndex,
  objects: Iterable<unknown>,
  trustDomain: string,
): number {
  let taken = 0;
  for (const object of objects) {
    if (typeof object !== "object" || object === null) continue;
    const { kind, items } = { kind: undefined, items: undefined, ...object };
    if (Array.isArray(items)) taken += putObjects(index, items, trustDomain);
    else if (put(index, String(kind), object, trustDomain)) taken += 1;
  }
  return taken;
}

function put(index: ClusterIndex, kind: string, object: object, trustDomain: string): boolean {
  switch (kind) {
    case "Pod":
      index.putPod(parsePod(object));
      return true;
    case "Node":
      index.putNode(parseNode(object));
      return true;
    case "Namespace":
      index.putNamespace(parseNamespace(object));
      return true;
    case "Service":
      index.putService(parseService(object));
      return true;
    default: {
      const type = RESOURCE_TYPES.find((each) => each.kind === kind);
      if (type === undefined) return false;
      const reading = parseResource(type.kind, object, trustDomain);
      index.putResource(identified(reading, index));
      return true;
    }
  }
}

/** A resource of a file has no UID: it gets that of the resource that it would replace, or one that only stands for it. */
function identified(reading: ResourceReading, index: ClusterIndex): ResourceReading {
  if (!reading.ok || reading.resource.meta.uid !== "") return reading;
  const { resource } = reading;
  const { kind, meta } = resource;
  const known = index.readings.values().find((each) => {
    const other = each.ok ? each.resource : each;
    return (
      other.kind === kind &&
      other.meta.name === meta.name &&
      other.meta.namespace === meta.namespace
    );
  });
  const before = known?.ok === true ? known.resource.meta : known?.meta;
  const uid = before?.uid ?? `new ${kind} ${meta.namespace}/${meta.name}`;
  const createdAt = before?.createdAt ?? meta.createdAt;
  return { ok: true, resource: { ...resource, meta: { ...meta, uid, createdAt } } };
}
