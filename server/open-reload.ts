import type { RateLimiter } from "./api/rate-limit.ts";
import { applicableParts, type ConfigDifference, compareConfigs } from "./config/reload.ts";
import type { SettingsInForce } from "./config/settings-in-force.ts";
import { applyConfigured, readConfigured } from "./federation/configured-relationships.ts";
import type { KnownClusters } from "./k8s/known-clusters.ts";
import { makeAttestors } from "./node-attestation/make-attestors.ts";
import type { NodeAttestor } from "./node-attestation/node-attestor.ts";
import { asConfigError, clustersOf } from "./open-clusters.ts";
import type { Core } from "./open-core.ts";
import type { ServerDeps } from "./server-deps.ts";

/** What a reload changes, as it is now. */
export interface Reloading {
  readonly attestors: () => ReadonlyMap<string, NodeAttestor>;
  /** Reads the configuration again and applies what a running server can. */
  readonly reload: (options: { readonly dryRun: boolean }) => Promise<ConfigDifference>;
}

/** Makes the parts that a reload replaces. @throws {Error} when a file that the configuration names cannot be used */
export async function openReload(
  deps: ServerDeps,
  parts: {
    readonly core: Core;
    readonly settings: SettingsInForce;
    readonly limiter: RateLimiter;
    readonly known: KnownClusters;
  },
): Promise<Reloading> {
  const { core, settings, limiter, known } = parts;
  const { trustDomain, store, bundle, federation } = core;
  const attestorDeps = {
    ...deps,
    trustDomain,
    store,
    clusters: known.clusters,
    bundles: { bundleFor: (wanted: typeof trustDomain) => bundle.feed.value.bundleFor(wanted) },
  };
  let attestors = await makeAttestors(deps.config.nodeAttestors, attestorDeps);
  return {
    attestors: () => attestors,
    reload: async ({ dryRun }) => {
      const read = await deps.readConfig();
      const difference = compareConfigs(settings.config, read);
      const next = applicableParts(settings.config, read);
      // Made in any case: the files that they read may have changed.
      const madeAttestors = await makeAttestors(next.nodeAttestors, attestorDeps);
      const clusters = clustersOf(next);
      await asConfigError(() => known.check(clusters));
      const relationships = await asConfigError(() =>
        readConfigured(next.federation.relationships, { wit: next.experimental.witSvid }),
      );
      if (dryRun) return difference;
      await applyConfigured({ store, ...federation }, relationships, deps.clock.now());
      await asConfigError(() => known.configure(clusters));
      if (settings.config.log.level !== next.log.level) deps.log.level = next.log.level;
      attestors = madeAttestors;
      settings.replace(next);
      limiter.setRates(next.limits.rates);
      return difference;
    },
  };
}
