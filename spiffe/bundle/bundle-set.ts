import { TrustDomain } from "../id/spiffe-id.ts";
import type { Bundle, BundleSource } from "./bundle.ts";

/** Bundles by trust domain. Immutable. Bundles of different trust domains are never merged (Federation 4.2). */
export class BundleSet implements BundleSource, Iterable<Bundle> {
  readonly #bundleByName: ReadonlyMap<string, Bundle>;

  /** For a trust domain that occurs twice the later bundle counts. */
  constructor(bundles: Iterable<Bundle> = []) {
    const map = new Map<string, Bundle>();
    for (const bundle of bundles) map.set(bundle.trustDomain.name, bundle);
    this.#bundleByName = map;
  }

  get size(): number {
    return this.#bundleByName.size;
  }

  get trustDomains(): readonly TrustDomain[] {
    return [...this].map(({ trustDomain }) => trustDomain);
  }

  bundleFor(trustDomain: TrustDomain): Bundle | undefined {
    return this.#bundleByName.get(trustDomain.name);
  }

  /** A copy with this bundle in place of the one of its trust domain. */
  with(bundle: Bundle): BundleSet {
    return new BundleSet([...this, bundle]);
  }

  /** A copy in which the trust domain is unknown. */
  without(trustDomain: TrustDomain): BundleSet {
    return new BundleSet([...this].filter((bundle) => !bundle.trustDomain.equals(trustDomain)));
  }

  equals(other: BundleSet): boolean {
    if (this.size !== other.size) return false;
    return [...this].every(
      (bundle) => other.bundleFor(bundle.trustDomain)?.equals(bundle) ?? false,
    );
  }

  [Symbol.iterator](): Iterator<Bundle> {
    return this.#bundleByName.values();
  }
}

/**
 * The trust domain that a key in a bundle map of the Workload API means: the ID of a trust domain, as the standard says,
 * or its bare name, as some servers send it.
 *
 * @throws {SpiffeError} the codes of {@link TrustDomain.parse}
 */
export function parseTrustDomainKey(key: string): TrustDomain {
  const prefix = "spiffe://";
  return TrustDomain.parse(key.startsWith(prefix) ? key.slice(prefix.length) : key);
}
