import type { Bundle as WireBundle } from "../../proto/gen/spire/api/types/bundle_pb.ts";
import { Bundle, type BundleSource } from "../../spiffe/bundle/bundle.ts";
import type { TrustDomain } from "../../spiffe/id/trust-domain.ts";
import { Certificate } from "../../spiffe/x509/certificate.ts";

/**
 * What this agent trusts to speak for its trust domain: first what the configuration gave it, then what servers that could be
 * verified by it have sent. Read anew at each handshake.
 */
export class TrustStore implements BundleSource {
  readonly trustDomain: TrustDomain;
  #bundle: Bundle | undefined;

  /** @param initial undefined only when the first server is to be trusted unseen; see `isBlind` */
  constructor(trustDomain: TrustDomain, initial: Bundle | undefined) {
    this.trustDomain = trustDomain;
    this.#bundle = initial;
  }

  /**
   * True while nothing is known to verify a server with, which the configuration must have asked for (`insecureBootstrap`).
   * The first bundle ends it for good.
   */
  get isBlind(): boolean {
    return this.#bundle === undefined;
  }

  bundleFor(trustDomain: TrustDomain): Bundle | undefined {
    return this.#bundle?.bundleFor(trustDomain);
  }

  /** Takes the bundle that a verified server sent. One without X.509 authorities would lock this agent out and is refused. */
  update(wire: WireBundle): void {
    const x509Authorities = wire.x509Authorities.map(({ asn1 }) => Certificate.parse(asn1.slice()));
    if (x509Authorities.length === 0) throw new Error("bundle: it has no X.509 authority");
    this.#bundle = new Bundle(this.trustDomain, { x509Authorities, sequence: wire.sequenceNumber });
  }
}
