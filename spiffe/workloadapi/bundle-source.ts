import type { Bundle, BundleSource } from "../bundle/bundle.ts";
import type { BundleSet } from "../bundle/bundle-set.ts";
import type { FederationLimits } from "../bundle/federation-limits.ts";
import type { TrustDomain } from "../id/spiffe-id.ts";
import { WorkloadApiClient } from "./client.ts";
import { FederatedBundles } from "./federated-bundles.ts";
import { readJwtBundles, readX509Bundles } from "./messages.ts";
import { resolveSourceOptions, type SourceOptions } from "./source-options.ts";
import { WatchedState } from "./watched-state.ts";

/**
 * The bundles that a workload may verify others with, X.509 and JWT authorities alike, kept fresh by the Workload API. For
 * programs that verify and show no identity of their own.
 */
export class WorkloadBundleSource implements BundleSource, AsyncDisposable {
  readonly #client: WorkloadApiClient;
  readonly #x509: WatchedState<BundleSet>;
  readonly #jwt: WatchedState<BundleSet>;
  readonly #federated: FederatedBundles;

  private constructor(
    client: WorkloadApiClient,
    x509: WatchedState<BundleSet>,
    jwt: WatchedState<BundleSet>,
    federated: FederatedBundles,
  ) {
    this.#client = client;
    this.#x509 = x509;
    this.#jwt = jwt;
    this.#federated = federated;
  }

  /** Opens a source and waits for the first bundles. Throws as X509Source.open does. */
  static async open(options: SourceOptions = {}): Promise<WorkloadBundleSource> {
    const resolved = resolveSourceOptions(options);
    const client = new WorkloadApiClient(resolved.address, resolved.environmentValue);
    const x509 = WatchedState.open(
      { open: (signal) => client.x509Bundles(signal), read: readX509Bundles },
      resolved,
    );
    const jwt = WatchedState.open(
      { open: (signal) => client.jwtBundles(signal), read: readJwtBundles },
      resolved,
    );
    const settled = await Promise.allSettled([x509, jwt]);
    const failed = settled.find((each) => each.status === "rejected");
    if (failed === undefined) {
      const federated = await FederatedBundles.open(client, resolved);
      return new WorkloadBundleSource(client, await x509, await jwt, federated);
    }
    for (const each of settled) {
      if (each.status === "fulfilled") await each.value[Symbol.asyncDispose]();
    }
    client[Symbol.dispose]();
    throw failed.reason;
  }

  bundleFor(trustDomain: TrustDomain): Bundle | undefined {
    const x509 = this.#x509.current.value?.bundleFor(trustDomain);
    const jwt = this.#jwt.current.value?.bundleFor(trustDomain);
    if (x509 === undefined || jwt === undefined) {
      const isEntitled = this.#x509.current.value !== undefined;
      return x509 ?? jwt ?? (isEntitled ? this.#federated.bundleFor(trustDomain) : undefined);
    }
    return x509.with({ jwtAuthorities: jwt.jwtAuthorities.values() });
  }

  /** The limits of a foreign bundle, which the TLS and the verifiers of this library keep to. */
  limitsFor(trustDomain: TrustDomain): FederationLimits | undefined {
    return this.#federated.limitsFor(trustDomain);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#federated[Symbol.asyncDispose]();
    await this.#x509[Symbol.asyncDispose]();
    await this.#jwt[Symbol.asyncDispose]();
    this.#client[Symbol.dispose]();
  }
}
