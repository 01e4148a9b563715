/**
 * From views to the messages of the SPIFFE Workload API. Every message is the full state, never a
 * difference (Workload API 4.3).
 */
import { formatWorkloadJwks } from "../../spiffe/bundle/workload-jwks.ts";
import type { CachedBundle } from "../cache/bundle-cache.ts";
import type { WorkloadView } from "../cache/workload-view.ts";

const encoder = new TextEncoder();

/** The fields of an answer with X509-SVIDs, in the Workload API and the Broker API. */
export interface X509SvidFields {
  readonly svids: {
    readonly spiffeId: string;
    readonly x509Svid: Uint8Array;
    readonly x509SvidKey: Uint8Array;
    readonly bundle: Uint8Array;
    readonly hint: string;
  }[];
  readonly federatedBundles: Record<string, Uint8Array>;
}

/** The fields of an answer with bundles, likewise. */
export interface BundleFields {
  readonly bundles: Record<string, Uint8Array>;
}

export function x509SvidResponse(view: WorkloadView): X509SvidFields {
  const bundle = view.bundle?.x509AuthoritiesDer ?? new Uint8Array();
  return {
    svids: withUniqueHints(view.identities).map((identity) => ({
      spiffeId: identity.spiffeId,
      x509Svid: identity.certificateChainDer,
      x509SvidKey: identity.privateKeyPkcs8,
      bundle,
      hint: identity.hint,
    })),
    federatedBundles: byTrustDomainId(view.federatedBundles.values(), (b) => b.x509AuthoritiesDer),
  };
}

export function x509BundlesResponse(view: WorkloadView): BundleFields {
  return { bundles: byTrustDomainId(allBundles(view), (bundle) => bundle.x509AuthoritiesDer) };
}

export function jwtBundlesResponse(view: WorkloadView): BundleFields {
  return { bundles: byTrustDomainId(allBundles(view), jwtKeySet) };
}

/** Unlike all others, this message has the documents as text. */
export function witBundlesResponse(view: WorkloadView): {
  readonly bundles: Record<string, string>;
} {
  const documents = allBundles(view).map(
    ({ trustDomain, parsed }) =>
      [
        `spiffe://${trustDomain}`,
        formatWorkloadJwks("wit-svid", parsed.witAuthorities.values()),
      ] as const,
  );
  return { bundles: Object.fromEntries(documents) };
}

/** The own trust domain's bundle and the federated ones that may be handed out by themselves. */
function allBundles(view: WorkloadView): CachedBundle[] {
  return [...(view.bundle ? [view.bundle] : []), ...view.federatedBundles.values()];
}

/** Of several identities with the same hint only the oldest is served (Workload API 5.2.1). */
export function withUniqueHints<T extends { readonly hint: string }>(items: readonly T[]): T[] {
  const seen = new Set<string>();
  return items.filter(({ hint }) => {
    if (hint === "") return true;
    if (seen.has(hint)) return false;
    seen.add(hint);
    return true;
  });
}

/** Keyed by the trust domain's SPIFFE ID, as the protocol's bundle maps are. */
export function byTrustDomainId(
  bundles: Iterable<CachedBundle>,
  bytesOf: (bundle: CachedBundle) => Uint8Array,
): Record<string, Uint8Array> {
  return Object.fromEntries(
    [...bundles].map((bundle) => [`spiffe://${bundle.trustDomain}`, bytesOf(bundle)]),
  );
}

/** The JWT authorities and nothing else: keys of other uses must not be among them (Workload API 6.2.2). */
export function jwtKeySet({ parsed: { jwtAuthorities } }: CachedBundle): Uint8Array {
  return encoder.encode(formatWorkloadJwks("jwt-svid", jwtAuthorities.values()));
}
