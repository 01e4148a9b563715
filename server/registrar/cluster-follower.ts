import type { Keyed } from "../k8s/held.ts";
import type { KubeClient } from "../k8s/kube-client.ts";
import type { Namespace } from "../k8s/objects/namespace.ts";
import type { Node } from "../k8s/objects/node.ts";
import type { Pod } from "../k8s/objects/pod.ts";
import type { WatchCache } from "../k8s/watch-cache.ts";
import { type ClusterIndex, nameOfReading } from "./cluster-index.ts";
import type { ResourceCache, WatchedResource } from "./resource-caches.ts";
import type { Resource } from "./resources/resource.ts";
import type { Service } from "./service.ts";

/** A cluster whose objects somebody watches. */
export interface WatchedCluster {
  readonly name: string;
  readonly client: KubeClient;
  readonly pods: WatchCache<Pod>;
  readonly nodes: WatchCache<Node>;
  readonly namespaces: WatchCache<Namespace>;
}

/** Who hears what a change in the cluster concerns. */
export interface ChangeListener {
  /** Groups whose entries have to be looked at again. */
  touched(groups: Iterable<string>): void;
  /** A resource is there, is another than before or is gone, whether or not any group has to do with it. */
  described(resource: string): void;
  /** Groups whose own object, a pod for instance, is there: of the kind with this plural. */
  returned(kind: string, groups: Iterable<string>): void;
  /** Groups whose own object was seen to go: nothing of theirs has to be held any longer. */
  gone(groups: Iterable<string>): void;
  /** Something was missing from a list: nobody saw it go. */
  missing(loss: Loss): void;
  /** Something was listed anew. */
  listed(): void;
}

/** What a list lacked. */
export interface Loss {
  /** "pods" */
  readonly what: string;
  readonly lost: number;
  readonly kept: number;
  readonly groups: readonly string[];
}

/** Where changes of one kind of object go. */
interface Kind<T extends Keyed> {
  readonly what: string;
  readonly cache: WatchCache<T>;
  readonly put: (value: T) => readonly string[];
  readonly remove: (value: T) => readonly string[];
  /** Whether each object has a group of its own; the others only have to do with groups. */
  readonly isGroup?: boolean;
  /** Told when all of them are there. Answers with the groups that waited for it. */
  readonly listed?: () => readonly string[];
}

/**
 * Brings an index up to date with the caches, and keeps it so until it is disposed of. Reads them and subscribes in one turn, so
 * that nothing is missed; what is there already is not reported.
 */
export function followCluster(
  deps: {
    readonly cluster: WatchedCluster;
    readonly resources: readonly ResourceCache[];
    readonly services: WatchCache<Service>;
    /** Whether this registrar acts on a resource. */
    readonly isOurs: (resource: Pick<Resource, "className">) => boolean;
  },
  index: ClusterIndex,
  listener: ChangeListener,
): Disposable {
  const { cluster, resources, services, isOurs } = deps;
  const stack = new DisposableStack();
  const follow = <T extends Keyed>(kind: Kind<T>): void => {
    for (const value of kind.cache.values()) kind.put(value);
    if (kind.cache.isReady) kind.listed?.();
    stack.use(followKind(kind, listener));
  };
  follow<Namespace>({
    what: "namespaces",
    cache: cluster.namespaces,
    put: (value) => {
      // How many namespaces a resource selects is part of its status, pods or no pods.
      const before = index.namespace(value.name);
      for (const name of index.rulesThatTell(before, value)) listener.described(name);
      return index.putNamespace(value);
    },
    remove: (value) => {
      for (const name of index.rulesThatTell(value, undefined)) listener.described(name);
      return index.removeNamespace(value);
    },
  });
  follow<Node>({
    what: "nodes",
    cache: cluster.nodes,
    put: (value) => index.putNode(value),
    remove: (value) => index.removeNode(value),
  });
  follow<Pod>({
    what: "pods",
    isGroup: true,
    cache: cluster.pods,
    put: (value) => index.putPod(value),
    remove: (value) => index.removePod(value),
  });
  follow<Service>({
    what: "services",
    cache: services,
    listed: () => index.knowServices(),
    put: (value) => index.putService(value),
    remove: (value) => index.removeService(value),
  });
  for (const { type, cache } of resources) {
    follow<WatchedResource>({
      what: type.plural,
      isGroup: type.kind === "ClusterStaticEntry",
      cache,
      put: ({ reading }) => {
        listener.described(nameOfReading(reading));
        return isOurs(reading.ok ? reading.resource : reading)
          ? index.putResource(reading)
          : index.removeResource(reading);
      },
      remove: ({ reading }) => {
        listener.described(nameOfReading(reading));
        return index.removeResource(reading);
      },
    });
  }
  return stack;
}

function followKind<T extends Keyed>(kind: Kind<T>, listener: ChangeListener): Disposable {
  /** The groups of each object that a list which is being told has another one in the place of. */
  let replaced: (readonly string[])[] = [];
  return kind.cache.onEvent((event) => {
    switch (event.kind) {
      case "added": {
        const groups = kind.put(event.now);
        if (kind.isGroup) listener.returned(kind.what, groups);
        listener.touched(groups);
        return;
      }
      case "changed":
        listener.touched(kind.put(event.now));
        return;
      case "removed": {
        const groups = kind.remove(event.was);
        if (!event.isSeen) {
          replaced.push(groups);
          return;
        }
        if (kind.isGroup) listener.gone(groups);
        listener.touched(groups);
        return;
      }
      case "listed": {
        const vanished = event.vanished.map((value) => kind.remove(value));
        const losses = [...replaced, ...vanished];
        if (losses.length > 0) {
          const groups = [...new Set(losses.flat())];
          const kept = event.kept - replaced.length;
          listener.missing({ what: kind.what, lost: losses.length, kept, groups });
        }
        replaced = [];
        listener.touched(kind.listed?.() ?? []);
        listener.listed();
      }
    }
  });
}
