import type { Logger } from "../../runtime/log.ts";
import type { Random } from "../../runtime/random.ts";
import type { Clock } from "../../runtime/time/clock.ts";
import type { Keyed } from "../k8s/held.ts";
import type { KubeClient } from "../k8s/kube-client.ts";
import { isKubeError } from "../k8s/kube-error.ts";
import type { Resource } from "../k8s/resources.ts";
import { WatchCache } from "../k8s/watch-cache.ts";
import { parseResource, type ResourceReading } from "./resources/parse-resource.ts";
import { RESOURCE_TYPES, type ResourceType } from "./resources/resource.ts";
import { parseService, type Service } from "./service.ts";

/** A custom resource in a cache: what it says, and its status as it was, for comparing. */
export interface WatchedResource extends Keyed {
  readonly reading: ResourceReading;
}

/** A cache of one kind of custom resources. */
export interface ResourceCache {
  readonly type: ResourceType;
  readonly cache: WatchCache<WatchedResource>;
}

/** What opening the caches needs. */
export interface ResourceCachesDeps {
  readonly client: KubeClient;
  readonly trustDomain: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
}

const SERVICES: Resource = { group: "", version: "v1", plural: "services" };

/** A cache for each kind of custom resources. They do nothing until they run. */
export function resourceCaches(deps: ResourceCachesDeps): readonly ResourceCache[] {
  return RESOURCE_TYPES.map((type) => ({
    type,
    cache: new WatchCache<WatchedResource>({
      ...deps,
      resource: type,
      parse: (raw) => {
        const reading = parseResource(type.kind, raw, deps.trustDomain);
        const { uid, name, namespace } = reading.ok ? reading.resource.meta : reading.meta;
        return { uid, name, namespace: namespace === "" ? undefined : namespace, reading };
      },
    }),
  }));
}

/** A cache of services, for resources that want their names. */
export function serviceCache(deps: ResourceCachesDeps): WatchCache<Service> {
  return new WatchCache<Service>({ ...deps, resource: SERVICES, parse: parseService });
}

/** Whether the cluster has a kind of resources at all: those of tenants, for instance, need not be installed. */
export async function isInstalled(
  client: Pick<KubeClient, "listPage">,
  type: ResourceType,
  signal: AbortSignal,
): Promise<boolean> {
  try {
    await client.listPage(type, {}, { limit: 1 }, signal);
    return true;
  } catch (err) {
    if (isKubeError(err, "not_found")) return false;
    throw err;
  }
}
