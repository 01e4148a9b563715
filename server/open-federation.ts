import { readFile } from "node:fs/promises";
import type { AuditLog } from "./audit/audit-log.ts";
import type { BundleMessages } from "./bundle/bundle-messages.ts";
import type { LocalBundle } from "./bundle/local-bundle.ts";
import { BundleRefresher } from "./federation/bundle-refresher.ts";
import { applyConfigured, readConfigured } from "./federation/configured-relationships.ts";
import { EndpointBundles } from "./federation/endpoint-bundles.ts";
import { addFederationMetrics, fetchCounter } from "./federation/metrics.ts";
import { Relationships } from "./federation/relationships.ts";
import { ServedBundles } from "./federation/served-bundles.ts";
import type { CoreDeps } from "./open-core.ts";
import type { Store } from "./store/store.ts";

/** What a server knows of foreign trust domains. */
export interface Federation {
  readonly relationships: Relationships;
  /** Our own bundle and the foreign ones, as others may have them. */
  readonly served: ServedBundles;
  readonly refresher: BundleRefresher;
}

/**
 * Opens the relationships with foreign trust domains and makes them agree with the configuration; nothing is fetched yet.
 *
 * @throws {Error} when a file that the configuration names cannot be used
 */
export async function openFederation(
  { config, clock, random, log, metrics }: CoreDeps,
  parts: {
    readonly store: Store;
    readonly audit: AuditLog;
    readonly bundle: LocalBundle;
    readonly bundles: BundleMessages;
  },
  opening: AsyncDisposableStack,
): Promise<Federation> {
  const { store, audit, bundle, bundles } = parts;
  const { relationships: configured, webAuthorities, followRedirects } = config.federation;
  const { witSvid: wit } = config.experimental;
  const wanted = await readConfigured(configured, { wit });
  const relationships = opening.use(await Relationships.open(store));
  const served = new ServedBundles({ bundles, relationships, clock });
  await applyConfigured({ store, relationships, served }, wanted, clock.now());
  const fetches = fetchCounter(metrics);
  const refresher = await BundleRefresher.open({
    relationships,
    store,
    endpointBundles: new EndpointBundles(bundles, served),
    own: () => bundle.feed.value,
    audit,
    webAuthorities:
      webAuthorities === undefined ? undefined : [await readFile(webAuthorities, "utf8")],
    followRedirects,
    wit,
    onFetch: (outcome) => fetches.inc({ outcome }),
    clock,
    random,
    log: log.child({ component: "federation" }),
  });
  addFederationMetrics(metrics, { relationships, refresher, clock });
  return { relationships, served, refresher };
}
