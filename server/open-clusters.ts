import { ConfigError } from "../runtime/config/load.ts";
import { describeError } from "../runtime/errors/describe.ts";
import type { ServerConfig } from "./config/server-config.ts";
import { type ConfiguredClusters, KnownClusters } from "./k8s/known-clusters.ts";
import type { ServerDeps } from "./server-deps.ts";
import type { Store } from "./store/store.ts";

/** The clusters that a configuration names. */
export function clustersOf({ nodeAttestors }: ServerConfig): ConfiguredClusters {
  return nodeAttestors.k8s_psat?.clusters ?? {};
}

/** Opens the clusters of the configuration and of the store. @throws {ConfigError} for one of the configuration */
export function openClusters(
  deps: ServerDeps,
  store: Pick<Store, "read" | "onCommit">,
): Promise<KnownClusters> {
  const { clock, random, env } = deps;
  const log = deps.log.child({ component: "clusters" });
  return asConfigError(() =>
    KnownClusters.open({ store, clock, random, env, log }, clustersOf(deps.config)),
  );
}

/** Does something with the clusters of a configuration; what is wrong with them is wrong with the configuration. */
export async function asConfigError<T>(act: () => Promise<T>): Promise<T> {
  try {
    return await act();
  } catch (err) {
    const path = "nodeAttestors.k8s_psat.clusters";
    throw new ConfigError("node attestation", [{ path, message: describeError(err) }]);
  }
}
