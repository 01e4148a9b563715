import { decodeBundle } from "../../proto/convert/bundle.ts";
import type { Bundle } from "../../proto/gen/spire/api/types/bundle_pb.ts";
import type { Bundle as ParsedBundle } from "../../spiffe/bundle/bundle.ts";
import { FederationLimits } from "../../spiffe/bundle/federation-limits.ts";

/** A trust bundle in the forms that the Workload API hands out. The buffers are shared: never change them. */
export class CachedBundle {
  /** Name of the trust domain, without scheme. */
  readonly trustDomain: string;
  /** X.509 authorities, each ASN.1 DER, concatenated. */
  readonly x509AuthoritiesDer: Uint8Array;
  /** The bundle as the server sent it. */
  readonly wire: Bundle;
  /** How far the trust domain is trusted; the own one for everything. Whoever verifies with the bundle asks them too. */
  readonly limits: FederationLimits;
  #parsed: ParsedBundle | undefined;

  constructor(wire: Bundle, limits: FederationLimits = FederationLimits.ANY) {
    this.trustDomain = wire.trustDomain;
    this.x509AuthoritiesDer = Buffer.concat(wire.x509Authorities.map(({ asn1 }) => asn1));
    this.wire = copyBytes(wire);
    this.limits = limits;
  }

  /** The bundle to verify by; parsed at the first use. @throws {StatusError} when the server sent what is no bundle */
  get parsed(): ParsedBundle {
    this.#parsed ??= decodeBundle("bundle", this.wire);
    return this.#parsed;
  }
}

/** The bundles that this agent may know, by trust domain name; the own trust domain's is among them. */
export class BundleCache {
  readonly #byTrustDomain = new Map<string, CachedBundle>();

  get(trustDomain: string): CachedBundle | undefined {
    return this.#byTrustDomain.get(trustDomain);
  }

  values(): IterableIterator<CachedBundle> {
    return this.#byTrustDomain.values();
  }

  /** Puts a bundle in; returns it, or undefined when the same one is there already. */
  put(wire: Bundle, limits: FederationLimits = FederationLimits.ANY): CachedBundle | undefined {
    const known = this.#byTrustDomain.get(wire.trustDomain);
    if (known !== undefined && isSameBundle(known.wire, wire) && known.limits.equals(limits)) {
      return undefined;
    }
    const bundle = new CachedBundle(wire, limits);
    this.#byTrustDomain.set(wire.trustDomain, bundle);
    return bundle;
  }

  /** Takes a bundle out; returns whether there was one. */
  remove(trustDomain: string): boolean {
    return this.#byTrustDomain.delete(trustDomain);
  }
}

// Byte fields of a received message are views of its frame; kept as they are they would keep the whole frame alive.
function copyBytes(wire: Bundle): Bundle {
  return {
    ...wire,
    x509Authorities: wire.x509Authorities.map((a) => ({ ...a, asn1: a.asn1.slice() })),
    jwtAuthorities: wire.jwtAuthorities.map((k) => ({ ...k, publicKey: k.publicKey.slice() })),
    witAuthorities: wire.witAuthorities.map((k) => ({ ...k, publicKey: k.publicKey.slice() })),
  };
}

/** Whether two bundles say the same. The sequence number alone does not tell: a restored server may repeat one. */
export function isSameBundle(a: Bundle, b: Bundle): boolean {
  return (
    a.sequenceNumber === b.sequenceNumber &&
    a.refreshHint === b.refreshHint &&
    a.x509Authorities.length === b.x509Authorities.length &&
    a.jwtAuthorities.length === b.jwtAuthorities.length &&
    a.witAuthorities.length === b.witAuthorities.length &&
    a.x509Authorities.every((authority, i) => {
      const other = b.x509Authorities[i];
      return (
        other !== undefined &&
        authority.tainted === other.tainted &&
        Buffer.compare(authority.asn1, other.asn1) === 0
      );
    }) &&
    a.jwtAuthorities.every((key, i) => isSameKey(key, b.jwtAuthorities[i])) &&
    a.witAuthorities.every((key, i) => isSameKey(key, b.witAuthorities[i]))
  );
}

interface TokenKey {
  readonly keyId: string;
  readonly publicKey: Uint8Array;
  readonly expiresAt: bigint;
  readonly tainted: boolean;
}

function isSameKey(a: TokenKey, b: TokenKey | undefined): boolean {
  return (
    b !== undefined &&
    a.keyId === b.keyId &&
    a.expiresAt === b.expiresAt &&
    a.tainted === b.tainted &&
    Buffer.compare(a.publicKey, b.publicKey) === 0
  );
}
