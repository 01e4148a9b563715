import type { KeyObject } from "node:crypto";
import type { TrustDomain } from "../id/spiffe-id.ts";
import { asBuffer } from "../x509/bytes.ts";
import type { Certificate } from "../x509/certificate.ts";
import type { FederationLimits } from "./federation-limits.ts";

/** A key that signs JWT-SVIDs or WIT-SVIDs of a trust domain. */
export interface JwtAuthority {
  readonly keyId: string;
  readonly publicKey: KeyObject;
  /** When the authority's own life ends, where that is known; bundle documents do not say. */
  readonly expiresAt?: Date;
  /** True once the authority must no longer be used to sign; it still verifies. */
  readonly tainted?: boolean;
}

/** What a bundle holds. The three kinds of authorities are never used for one another (Workload API 5.2, 6.2.2). */
export interface BundleContent {
  readonly x509Authorities?: readonly Certificate[];
  readonly jwtAuthorities?: Iterable<JwtAuthority>;
  readonly witAuthorities?: Iterable<JwtAuthority>;
  /** Between 0 and 2^64 - 1; undefined when the publisher gave none. */
  readonly sequence?: bigint | undefined;
  /** How often the publisher suggests to look for a newer one; undefined when it gave no hint. */
  readonly refreshHintSeconds?: number | undefined;
}

/** Where verifiers find the bundle of a trust domain: the latest one at each call. Undefined means untrusted. */
export interface BundleSource {
  bundleFor(trustDomain: TrustDomain): Bundle | undefined;
  /**
   * How far the trust domain may be trusted: whoever verifies an SVID with its bundle keeps to that. Undefined, or without this
   * method, for everything.
   */
  limitsFor?(trustDomain: TrustDomain): FederationLimits | undefined;
}

/**
 * What a trust domain publishes so that others can verify its SVIDs (Trust Domain and Bundle 3). Immutable; `with...`
 * returns a changed copy. A bundle always travels together with the name of its trust domain, since its document does
 * not hold it.
 */
export class Bundle implements BundleSource {
  readonly trustDomain: TrustDomain;
  /** CA certificates, each once, in the order of publication. */
  readonly x509Authorities: readonly Certificate[];
  readonly jwtAuthorities: ReadonlyMap<string, JwtAuthority>;
  readonly witAuthorities: ReadonlyMap<string, JwtAuthority>;
  readonly sequence: bigint | undefined;
  readonly refreshHintSeconds: number | undefined;

  /** An empty content means that nothing of the trust domain is valid, which is a legal state (4.1.3). */
  constructor(trustDomain: TrustDomain, content: BundleContent = {}) {
    this.trustDomain = trustDomain;
    this.x509Authorities = unique(content.x509Authorities ?? []);
    this.jwtAuthorities = byKeyId(content.jwtAuthorities ?? []);
    this.witAuthorities = byKeyId(content.witAuthorities ?? []);
    this.sequence = content.sequence;
    this.refreshHintSeconds = content.refreshHintSeconds;
  }

  /** A copy in which the given parts are replaced; `undefined` takes a sequence or hint away. */
  with(changes: BundleContent): Bundle {
    return new Bundle(this.trustDomain, {
      x509Authorities: this.x509Authorities,
      jwtAuthorities: this.jwtAuthorities.values(),
      witAuthorities: this.witAuthorities.values(),
      sequence: this.sequence,
      refreshHintSeconds: this.refreshHintSeconds,
      ...changes,
    });
  }

  withX509Authorities(x509Authorities: readonly Certificate[]): Bundle {
    return this.with({ x509Authorities });
  }

  withJwtAuthorities(jwtAuthorities: Iterable<JwtAuthority>): Bundle {
    return this.with({ jwtAuthorities });
  }

  withWitAuthorities(witAuthorities: Iterable<JwtAuthority>): Bundle {
    return this.with({ witAuthorities });
  }

  withSequence(sequence: bigint | undefined): Bundle {
    return this.with({ sequence });
  }

  withRefreshHint(refreshHintSeconds: number | undefined): Bundle {
    return this.with({ refreshHintSeconds });
  }

  /** Itself for its own trust domain, so that one bundle is a source too. */
  bundleFor(trustDomain: TrustDomain): Bundle | undefined {
    return this.trustDomain.equals(trustDomain) ? this : undefined;
  }

  /** Whether both are of one trust domain and hold the same, sequence and hint included. */
  equals(other: Bundle): boolean {
    return (
      this.sequence === other.sequence &&
      this.refreshHintSeconds === other.refreshHintSeconds &&
      this.hasSameAuthorities(other)
    );
  }

  /** Whether both are of one trust domain and hold the same authorities; the order does not matter. */
  hasSameAuthorities(other: Bundle): boolean {
    return (
      this.trustDomain.equals(other.trustDomain) &&
      haveSameCertificates(this.x509Authorities, other.x509Authorities) &&
      haveSameKeys(this.jwtAuthorities, other.jwtAuthorities) &&
      haveSameKeys(this.witAuthorities, other.witAuthorities)
    );
  }
}

function unique(certificates: readonly Certificate[]): readonly Certificate[] {
  const byDer = new Map<string, Certificate>();
  for (const certificate of certificates) {
    const key = asBuffer(certificate.der).toString("latin1");
    if (!byDer.has(key)) byDer.set(key, certificate);
  }
  return [...byDer.values()];
}

function byKeyId(authorities: Iterable<JwtAuthority>): ReadonlyMap<string, JwtAuthority> {
  const map = new Map<string, JwtAuthority>();
  for (const authority of authorities) {
    const { keyId } = authority;
    if (keyId === "") throw new TypeError("an authority needs a key ID");
    if (map.has(keyId)) throw new TypeError("two authorities have one key ID");
    map.set(keyId, authority);
  }
  return map;
}

function haveSameCertificates(a: readonly Certificate[], b: readonly Certificate[]): boolean {
  return a.length === b.length && a.every((one) => b.some((other) => one.equals(other)));
}

function haveSameKeys(
  a: ReadonlyMap<string, JwtAuthority>,
  b: ReadonlyMap<string, JwtAuthority>,
): boolean {
  if (a.size !== b.size) return false;
  for (const [keyId, { publicKey, tainted = false, expiresAt }] of a) {
    const other = b.get(keyId);
    if (other === undefined || !publicKey.equals(other.publicKey)) return false;
    if (tainted !== (other.tainted ?? false)) return false;
    if (expiresAt?.getTime() !== other.expiresAt?.getTime()) return false;
  }
  return true;
}
