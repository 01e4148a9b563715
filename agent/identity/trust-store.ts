import type { Bundle as WireBundle } from "../../proto/gen/spire/api/types/bundle_pb.ts";
import { Bundle, type BundleSource } from "../../spiffe/bundle/bundle.ts";
import type { TrustDomain } from "../../spiffe/id/trust-domain.ts";
import { Certificate } from "../../spiffe/x509/certificate.ts";

/**
 * What this agent trusts to speak for its trust domain: first what the configuration gave it, then what servers that could be
 * verified by it have sent. Read anew at each handshake. Without a bundle no server is trusted, unless `trustUnseen` was said.
 */
export class TrustStore implements BundleSource {
  readonly trustDomain: TrustDomain;
  #bundle: Bundle | undefined;
  #trustsUnseen = false;

  constructor(trustDomain: TrustDomain) {
    this.trustDomain = trustDomain;
  }

  /** Whether any bundle is known. */
  get isKnown(): boolean {
    return this.#bundle !== undefined;
  }

  /** True while any server is to be trusted. The first bundle ends it for good. */
  get trustsUnseen(): boolean {
    return this.#trustsUnseen && this.#bundle === undefined;
  }

  bundleFor(trustDomain: TrustDomain): Bundle | undefined {
    return this.#bundle?.bundleFor(trustDomain);
  }

  /** Begins with the bundle that the configuration gave. */
  begin(bundle: Bundle): void {
    this.#bundle = bundle;
  }

  /** Begins with nothing, trusting whoever answers first, as the configuration asked for (`insecure`). */
  trustUnseen(): void {
    this.#trustsUnseen = true;
  }

  /**
   * Takes the bundle that a verified server sent.
   *
   * @throws {Error} when it has no X.509 authority: it would lock this agent out
   * @throws {SpiffeError} when one cannot be read
   */
  update(wire: WireBundle): void {
    const x509Authorities = wire.x509Authorities.map(({ asn1 }) => Certificate.parse(asn1.slice()));
    if (x509Authorities.length === 0) throw new Error("bundle: it has no X.509 authority");
    this.#bundle = new Bundle(this.trustDomain, { x509Authorities, sequence: wire.sequenceNumber });
  }
}
