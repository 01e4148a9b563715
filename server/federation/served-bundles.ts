import type { Bundle as WireBundle } from "../../proto/gen/spire/api/types/bundle_pb.ts";
import type { Clock } from "../../runtime/time/clock.ts";
import { FederationLimits } from "../../spiffe/bundle/federation-limits.ts";
import type { BundleListener, BundleMessages } from "../bundle/bundle-messages.ts";
import type { AuthorizedEntryRecord } from "../store/records.ts";
import type { Relationships } from "./relationships.ts";

export interface ServedBundlesDeps {
  readonly bundles: Pick<BundleMessages, "get" | "onChange">;
  readonly relationships: Pick<Relationships, "get" | "onChange">;
  readonly clock: Clock;
}

/**
 * The bundles as others may have them: our own, and those of the foreign trust domains that are trusted now, with how far. One whose
 * relationship has ended or was deleted is not among them, nor is one of which nothing was fetched yet. A bundle that was set by
 * hand, without a relationship, is for everything.
 */
export class ServedBundles {
  readonly #deps: ServedBundlesDeps;

  constructor(deps: ServedBundlesDeps) {
    this.#deps = deps;
  }

  /** The bundle of a trust domain. Not to be changed. */
  get(trustDomain: string): WireBundle | undefined {
    const { bundles, relationships, clock } = this.#deps;
    const bundle = bundles.get(trustDomain);
    if (bundle === undefined) return undefined;
    const relationship = relationships.get(trustDomain);
    if (relationship === undefined) return bundle;
    const { record, limits } = relationship;
    if (record.endedAt !== 0 || limits.hasEnded(clock.now())) return undefined;
    return isUnfetched(bundle) ? undefined : bundle;
  }

  /** How far a trust domain is trusted. */
  limitsOf(trustDomain: string): FederationLimits {
    return this.#deps.relationships.get(trustDomain)?.limits ?? FederationLimits.ANY;
  }

  /** Whether whoever cannot keep to limits may have the bundle, given the entries that he has. */
  isForAnybody(trustDomain: string, entries: readonly AuthorizedEntryRecord[]): boolean {
    if (this.limitsOf(trustDomain).isAny) return true;
    const concerned = entries.filter((entry) => entry.federatesWith.includes(trustDomain));
    return (
      concerned.length > 0 &&
      concerned.every((entry) => entry.unrestrictedFederation.includes(trustDomain))
    );
  }

  /** Calls `listener` when what is served of a trust domain may be another thing, in the commit that makes it so. */
  onChange(listener: BundleListener): Disposable {
    const stack = new DisposableStack();
    stack.use(this.#deps.bundles.onChange(listener));
    stack.use(this.#deps.relationships.onChange(listener));
    return stack;
  }
}

// A bundle that was fetched empty has a sequence: it says that nothing of the trust domain is valid.
function isUnfetched(bundle: WireBundle): boolean {
  return (
    bundle.sequenceNumber === 0n &&
    bundle.x509Authorities.length === 0 &&
    bundle.jwtAuthorities.length === 0 &&
    bundle.witAuthorities.length === 0
  );
}
