import { decodeBundle } from "../../proto/convert/bundle.ts";
import type { Bundle as WireBundle } from "../../proto/gen/spire/api/types/bundle_pb.ts";
import type { Bundle, BundleSource } from "../../spiffe/bundle/bundle.ts";
import type { BundleMessages } from "../bundle/bundle-messages.ts";
import type { ServedBundles } from "./served-bundles.ts";

/**
 * The bundles that https_spiffe endpoints are authenticated by: the latest of each trust domain. An endpoint in the trust domain
 * whose bundle it serves is authenticated by what was fetched last, or at first by what the operator gave (Federation 5.2.2.4).
 */
export class EndpointBundles {
  readonly #stored: Pick<BundleMessages, "get">;
  readonly #served: Pick<ServedBundles, "get">;
  readonly #parsed = new WeakMap<WireBundle, Bundle>();

  constructor(stored: Pick<BundleMessages, "get">, served: Pick<ServedBundles, "get">) {
    this.#stored = stored;
    this.#served = served;
  }

  /** What the endpoint that serves the bundle of this trust domain is judged by. */
  forEndpointOf(trustDomain: string): BundleSource {
    return {
      bundleFor: ({ name }) => {
        const wire = name === trustDomain ? this.#stored.get(name) : this.#served.get(name);
        return wire === undefined || wire.x509Authorities.length === 0
          ? undefined
          : this.#parse(wire);
      },
    };
  }

  #parse(wire: WireBundle): Bundle {
    const known = this.#parsed.get(wire);
    if (known !== undefined) return known;
    const bundle = decodeBundle("bundle", wire);
    this.#parsed.set(wire, bundle);
    return bundle;
  }
}
