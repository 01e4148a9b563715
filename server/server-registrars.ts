import { Admin } from "../proto/gen/assay/admin/v1/admin_pb.ts";
import { Ids } from "../runtime/ids.ts";
import type { Interceptor } from "../runtime/rpc/interceptor.ts";
import { createLocalClient } from "../runtime/rpc/local-client.ts";
import type { Registration } from "../runtime/rpc/service.ts";
import type { Caller } from "./api/caller.ts";
import type { Clusters } from "./k8s/clusters.ts";
import { adminEntryApi, type EntryApi } from "./registrar/entry-api.ts";
import type { RegistrarMetrics } from "./registrar/metrics.ts";
import { registrarGrants } from "./registrar/registrar-rules.ts";
import { runRegistrars } from "./registrar/registrars.ts";
import type { ServerDeps } from "./server-deps.ts";

/** What the registrars inside of a server share with its callers from outside. */
export interface RegistrarParts {
  readonly services: readonly Registration<Caller>[];
  readonly interceptors: readonly Interceptor<Caller>[];
  readonly metrics: RegistrarMetrics;
}

/** Runs the registrars that the configuration names, each as a caller of the admin API with the rights of its cluster. */
export function runServerRegistrars(
  deps: ServerDeps,
  parts: {
    readonly registrars: RegistrarParts;
    readonly known: { readonly clusters: Pick<Clusters, "feed"> };
  },
  signal: AbortSignal,
): Promise<void> {
  const { config, clock, random, log, env } = deps;
  const { metrics } = parts.registrars;
  return runRegistrars(
    {
      clusters: parts.known.clusters,
      settings: config.registrar,
      trustDomain: config.trustDomain,
      apiFor: registrarApis(deps, parts.registrars),
      // In a pod, its name: what people look for when they see the Lease.
      instance: env["HOSTNAME"] || `server-${Buffer.from(random.bytes(4)).toString("hex")}`,
      metrics,
      clock,
      random,
      log,
    },
    signal,
  );
}

function registrarApis(
  { config, random, log }: ServerDeps,
  { services, interceptors }: RegistrarParts,
): (cluster: string) => EntryApi {
  const ids = new Ids(random);
  const registration = services.find(({ desc }) => desc === Admin);
  return (cluster) => {
    const settings = config.registrar.clusters[cluster];
    if (settings === undefined || registration === undefined) {
      throw new Error(`cluster ${cluster} has no registrar`);
    }
    const client = createLocalClient<typeof Admin, Caller>(Admin, {
      registration,
      interceptors,
      caller: { kind: "registrar", cluster, grants: registrarGrants(cluster, settings) },
      connectionId: `registrar-${cluster}`,
      newRequestId: () => ids.next(),
      log,
    });
    return adminEntryApi(client, cluster);
  };
}
