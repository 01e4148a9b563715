import { readFile } from "node:fs/promises";
import type { Bundle } from "../../spiffe/bundle/bundle.ts";
import {
  type BundleDocumentOptions,
  parseBundleDocument,
} from "../../spiffe/bundle/bundle-document.ts";
import { FederationLimits } from "../../spiffe/bundle/federation-limits.ts";
import { TrustDomain } from "../../spiffe/id/trust-domain.ts";
import type { RelationshipSettings } from "../config/federation-settings.ts";
import type { Store } from "../store/store.ts";
import { limitsRecordOf } from "./relationship-value.ts";
import { type WantedRelationship, writeRelationships } from "./relationship-writes.ts";
import type { Relationships } from "./relationships.ts";
import type { ServedBundles } from "./served-bundles.ts";

/** Who keeps what the configuration names. */
const ORIGIN = "config";

/** The relationships of the configuration, ready to be written. @throws {Error} when a bundle's file cannot be used */
export async function readConfigured(
  settings: Readonly<Record<string, RelationshipSettings>>,
  options: BundleDocumentOptions,
): Promise<readonly WantedRelationship[]> {
  return await Promise.all(
    Object.entries(settings).map(async ([trustDomain, relationship]) => {
      const { bundleEndpoint: endpoint, bundleFile, allow, endsAt, owner, purpose } = relationship;
      const limits = new FederationLimits({
        ...(allow === "any"
          ? { any: true }
          : { idPatterns: allow.ids, audiences: allow.audiences }),
        endsAt,
        owner,
        purpose,
      });
      return {
        trustDomain,
        endpoint,
        limits: limitsRecordOf(limits),
        bundle:
          bundleFile === undefined ? undefined : await readBundle(trustDomain, bundleFile, options),
      };
    }),
  );
}

/**
 * Makes the store agree with the configuration: what it names is written, what it named before and does not name now is deleted. A
 * bundle's file is where one begins; it never replaces a bundle that is known.
 */
export async function applyConfigured(
  deps: {
    readonly store: Pick<Store, "write">;
    readonly relationships: Relationships;
    readonly served: Pick<ServedBundles, "get">;
  },
  configured: readonly WantedRelationship[],
  now: Date,
): Promise<void> {
  const { store, relationships, served } = deps;
  const wanted = configured.map(({ bundle, ...rest }) => ({
    ...rest,
    bundle: served.get(rest.trustDomain) === undefined ? bundle : undefined,
  }));
  const names = new Set(configured.map(({ trustDomain }) => trustDomain));
  const gone = relationships.listed
    .map(({ record }) => record)
    .filter(({ origin, trustDomain }) => origin === ORIGIN && !names.has(trustDomain))
    .map(({ trustDomain }) => trustDomain);
  if (gone.length > 0) {
    const seconds = Math.floor(now.getTime() / 1000);
    await store.write("deleteRelationships", { trustDomains: gone, origin: ORIGIN, now: seconds });
  }
  if (wanted.length === 0) return;
  const writer = { origin: ORIGIN, actor: "configuration", now };
  await writeRelationships(store, wanted, "set", writer);
}

async function readBundle(
  trustDomain: string,
  path: string,
  options: BundleDocumentOptions,
): Promise<Bundle> {
  try {
    const text = await readFile(path);
    return parseBundleDocument(TrustDomain.parse(trustDomain), text, options).bundle;
  } catch (cause) {
    throw new Error(`reading the bundle of ${trustDomain} from ${path}`, { cause });
  }
}
