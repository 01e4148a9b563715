import type {
  CertificateValidationContext,
  TlsCertificate,
} from "../../../proto/gen/envoy/extensions/transport_sockets/tls/v3/common_pb.ts";
import { makeVoidIdentity, type VoidIdentity } from "../../../spiffe/x509/void-identity.ts";
import type { CachedBundle } from "../../cache/bundle-cache.ts";
import type { WorkloadIdentity, WorkloadView } from "../../cache/workload-view.ts";
import type { SdsSettings } from "../../config/sds-settings.ts";
import type { SdsProxy } from "./proxy.ts";
import {
  type Any,
  certificateOf,
  limitMatchers,
  packSecret,
  plainContext,
  spiffeContext,
  voidContext,
} from "./secret-messages.ts";

/** What is known under a name: a certificate with its key, or whom to trust. */
export type SecretKind = "certificate" | "bundle";

/** A secret to send. The same reference means the same secret. */
export interface OfferedSecret {
  readonly kind: SecretKind;
  readonly packed: Any;
}

const WITHDRAWN = "identity withdrawn";

/** How many sets of bundles are kept packed; more only cost packing again. */
const keptContexts = 256;

/** Finds secrets by name in what a workload may have, and packs each once for all streams. */
export class SecretSource {
  readonly #names: SdsSettings;
  /** By the chain: views are made anew when anything changes, what the cache holds is not. */
  readonly #certificates = new WeakMap<Uint8Array, Map<string, Any>>();
  readonly #contexts = new Map<
    string,
    { readonly bundles: readonly CachedBundle[]; packed: Any }
  >();
  readonly #withdrawn = new Map<string, Any>();
  #void: VoidIdentity | undefined;
  /** Of another key than {@link #void}, which proxies get. */
  #voidAuthority: VoidIdentity | undefined;

  constructor(settings: SdsSettings) {
    this.#names = settings;
  }

  /** Every name that a proxy which names nothing gets: each ID, and each trust domain. */
  allNames(view: WorkloadView, proxy: SdsProxy): string[] {
    const bundles = [...(view.bundle ? [view.bundle] : []), ...foreignBundles(view, proxy)];
    const ids = new Set(view.identities.map(({ spiffeId }) => spiffeId));
    return [...ids, ...bundles.map(({ trustDomain }) => `spiffe://${trustDomain}`)];
  }

  /** The secret of this name, or undefined when the workload has none. */
  find(name: string, view: WorkloadView, proxy: SdsProxy): OfferedSecret | undefined {
    if (view.entries.length === 0) return undefined;
    const identity =
      name === this.#names.defaultSvidName
        ? view.identities[0]
        : view.identities.find(({ spiffeId }) => spiffeId === name);
    if (identity !== undefined) {
      return { kind: "certificate", packed: this.#certificate(name, identity) };
    }
    const bundles = this.#bundles(name, view, proxy);
    if (bundles.length === 0) return undefined;
    return { kind: "bundle", packed: this.#context(name, bundles, proxy) };
  }

  /** Whether what was sent under this name is no longer granted; not so while it only cannot be renewed. */
  isWithdrawn(name: string, kind: SecretKind, view: WorkloadView): boolean {
    if (view.entries.length === 0) return true;
    if (kind === "bundle") return view.bundle !== undefined;
    return name !== this.#names.defaultSvidName && view.entries.every((e) => e.spiffeId !== name);
  }

  /**
   * What takes the place of a secret that was withdrawn: the protocol has no way to take one back, and a proxy that hears nothing goes
   * on with the last one until that runs out. See {@link makeVoidIdentity}.
   */
  withdrawn(name: string, kind: SecretKind): Any {
    const key = `${kind} ${name}`;
    let packed = this.#withdrawn.get(key);
    if (packed === undefined) {
      packed = packSecret(name, kind === "certificate" ? this.#nobody() : this.#trustNobody());
      // Names come from callers: what is kept of them is bounded.
      if (this.#withdrawn.size >= keptContexts) this.#withdrawn.clear();
      this.#withdrawn.set(key, packed);
    }
    return packed;
  }

  /** What a name stands for, whether or not there is such a secret; undefined for a name that never stands for any. */
  kindOf(name: string): SecretKind | undefined {
    const { defaultSvidName, defaultBundleName, defaultAllBundlesName } = this.#names;
    if (name === defaultSvidName) return "certificate";
    if (name === defaultBundleName || name === defaultAllBundlesName) return "bundle";
    if (!name.startsWith("spiffe://")) return undefined;
    return name.indexOf("/", "spiffe://".length) < 0 ? "bundle" : "certificate";
  }

  /** The secrets that an X509-SVID has been packed into, under one name or several. */
  packedOf({ certificateChainDer }: WorkloadIdentity): readonly Any[] {
    return [...(this.#certificates.get(certificateChainDer)?.values() ?? [])];
  }

  #nobody(): TlsCertificate {
    this.#void ??= makeVoidIdentity(WITHDRAWN);
    return certificateOf(this.#void);
  }

  #trustNobody(): CertificateValidationContext {
    this.#voidAuthority ??= makeVoidIdentity(WITHDRAWN);
    return voidContext(this.#voidAuthority.certificateChainDer);
  }

  #bundles(name: string, view: WorkloadView, proxy: SdsProxy): readonly CachedBundle[] {
    const { bundle } = view;
    if (bundle === undefined) return [];
    const { defaultBundleName, defaultAllBundlesName } = this.#names;
    if (name === defaultBundleName || name === `spiffe://${bundle.trustDomain}`) return [bundle];
    const foreign = foreignBundles(view, proxy);
    // The ordinary validator does not tell trust domains apart, so it is never given several.
    if (name === defaultAllBundlesName && proxy.hasSpiffeValidator) return [bundle, ...foreign];
    return foreign.filter(({ trustDomain }) => name === `spiffe://${trustDomain}`);
  }

  #certificate(name: string, identity: WorkloadIdentity): Any {
    const { certificateChainDer } = identity;
    let packed = this.#certificates.get(certificateChainDer);
    if (packed === undefined) {
      packed = new Map();
      this.#certificates.set(certificateChainDer, packed);
    }
    return packed.getOrInsertComputed(name, () => packSecret(name, certificateOf(identity)));
  }

  #context(name: string, bundles: readonly CachedBundle[], proxy: SdsProxy): Any {
    const { hasSpiffeValidator, keepsLimits } = proxy;
    const domains = bundles.map(({ trustDomain }) => trustDomain).join(" ");
    const key = JSON.stringify([name, hasSpiffeValidator, keepsLimits, domains]);
    const kept = this.#contexts.get(key);
    const isSame = kept?.bundles.every((bundle, i) => bundle === bundles[i]) ?? false;
    if (kept !== undefined && isSame) return kept.packed;
    const packed = packSecret(name, contextOf(bundles, proxy));
    if (kept === undefined && this.#contexts.size >= keptContexts) this.#contexts.clear();
    this.#contexts.set(key, { bundles, packed });
    return packed;
  }
}

function contextOf(
  bundles: readonly CachedBundle[],
  { hasSpiffeValidator, keepsLimits }: SdsProxy,
): CertificateValidationContext {
  const matchers = keepsLimits ? limitMatchers(bundles) : [];
  const [only] = bundles;
  if (hasSpiffeValidator || only === undefined) return spiffeContext(bundles, matchers);
  return plainContext(only, matchers);
}

/** The bundles of foreign trust domains that this proxy may have, in the order of their names. */
function foreignBundles(view: WorkloadView, { keepsLimits }: SdsProxy): CachedBundle[] {
  const limited = keepsLimits ? view.limitedBundles.values() : [];
  return (
    [...view.federatedBundles.values(), ...limited]
      // Limits without an ID leave nothing to match, and no matcher at all would mean everybody.
      .filter(({ limits }) => !keepsLimits || limits.isAny || limits.idPatterns.length > 0)
      .sort((a, b) => (a.trustDomain < b.trustDomain ? -1 : 1))
  );
}
