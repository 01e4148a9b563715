import type { ServedDocument } from "../../runtime/http/document-server.ts";
import type { Clock } from "../../runtime/time/clock.ts";
import type { Bundle } from "../../spiffe/bundle/bundle.ts";
import type { JwsAlgorithmSetting } from "../config/issuing-settings.ts";
import { discoveryDocument, providerKeys } from "./provider-documents.ts";

/** An issuer, and the trust domain whose tokens name it. */
export interface Provider {
  /** An https URL without a slash at its end. */
  readonly issuer: string;
  /** More values of the Host header that are answered, beside the issuer's own. */
  readonly hosts: readonly string[];
  /** The trust domain's bundle now; undefined while there is none. */
  readonly bundle: () => Bundle | undefined;
}

export interface ProviderSiteDeps {
  readonly providers: readonly Provider[];
  readonly algorithms: readonly JwsAlgorithmSetting[];
  readonly maxAgeSeconds: number;
  readonly clock: Clock;
}

type Documents = { readonly [path: string]: ServedDocument };

const DISCOVERY = "/.well-known/openid-configuration";

/**
 * The documents of one or more OIDC providers, found by host and path. A request for a host that is nobody's finds nothing, so that
 * nobody is told the keys of one trust domain under the name of another.
 */
export class ProviderSite {
  readonly #deps: ProviderSiteDeps;
  readonly #places: ReadonlyMap<string, Provider>;
  readonly #written = new Map<Provider, { bundle: Bundle; until: number; documents: Documents }>();

  constructor(deps: ProviderSiteDeps) {
    this.#deps = deps;
    const places = new Map<string, Provider>();
    for (const provider of deps.providers) {
      const { host, pathname } = new URL(provider.issuer);
      const prefix = pathname === "/" ? "" : pathname;
      for (const name of [host, ...provider.hosts]) {
        for (const path of [DISCOVERY, "/keys"])
          places.set(placeOf(name, `${prefix}${path}`), provider);
      }
    }
    this.#places = places;
  }

  /** As DocumentServer asks. */
  documentAt(path: string, host: string): ServedDocument | "later" | undefined {
    const name = host.toLowerCase().replace(/:443$/, "");
    const provider = this.#places.get(placeOf(name, path));
    if (provider === undefined) return undefined;
    return this.#documentsOf(provider)?.[path.endsWith(DISCOVERY) ? DISCOVERY : "/keys"] ?? "later";
  }

  #documentsOf(provider: Provider): Documents | undefined {
    const { clock, algorithms, maxAgeSeconds } = this.#deps;
    const bundle = provider.bundle();
    const now = clock.now();
    if (bundle === undefined) return undefined;
    const written = this.#written.get(provider);
    if (written?.bundle === bundle && now.getTime() < written.until) return written.documents;
    const keys = providerKeys(bundle.jwtAuthorities.values(), algorithms, now);
    // A provider without keys would have verifiers refuse everything, and caches keep that.
    if (keys.length === 0) return undefined;
    const serve = (content: object): ServedDocument => ({
      body: `${JSON.stringify(content)}\n`,
      contentType: "application/json",
      cacheControl: `public, max-age=${maxAgeSeconds}`,
    });
    const documents = {
      [DISCOVERY]: serve(discoveryDocument(provider.issuer, keys)),
      "/keys": serve({ keys }),
    };
    // Written anew now and then although the bundle is the same, because keys end.
    this.#written.set(provider, { bundle, until: now.getTime() + REWRITE_MS, documents });
    return documents;
  }
}

const REWRITE_MS = 60_000;

// No header holds a line break, so what looks like a host with a path is none.
function placeOf(host: string, path: string): string {
  return `${host}\n${path}`;
}
