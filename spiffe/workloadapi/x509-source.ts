import { Feed, type ReadFeed } from "../../runtime/feed.ts";
import type { Bundle, BundleSource } from "../bundle/bundle.ts";
import type { FederationLimits } from "../bundle/federation-limits.ts";
import { SpiffeError } from "../error.ts";
import type { TrustDomain } from "../id/spiffe-id.ts";
import type { X509Svid, X509SvidSource } from "../svid/x509-svid.ts";
import { WorkloadApiClient } from "./client.ts";
import { FederatedBundles } from "./federated-bundles.ts";
import { readX509Context, type X509Context } from "./messages.ts";
import { resolveSourceOptions, type SourceOptions } from "./source-options.ts";
import { WatchedState } from "./watched-state.ts";

export interface X509SourceOptions extends SourceOptions {
  /** Chooses among several identities; the first, which is the default identity, unless given. */
  readonly pick?: (svids: readonly X509Svid[]) => X509Svid | undefined;
}

/**
 * The workload's X509-SVID and the X.509 bundles that it may verify others with, kept fresh by the Workload API. What is
 * withdrawn is not handed out again; while the agent is away the last state stays in use.
 */
export class X509Source implements X509SvidSource, BundleSource, AsyncDisposable {
  readonly #client: WorkloadApiClient;
  readonly #state: WatchedState<X509Context>;
  readonly #federated: FederatedBundles;
  readonly #pick: (svids: readonly X509Svid[]) => X509Svid | undefined;
  readonly #current = new Feed<X509Svid | undefined>(undefined);
  readonly #following: Promise<void>;
  readonly #closed = new AbortController();

  private constructor(
    client: WorkloadApiClient,
    state: WatchedState<X509Context>,
    federated: FederatedBundles,
    pick: (svids: readonly X509Svid[]) => X509Svid | undefined,
  ) {
    this.#client = client;
    this.#state = state;
    this.#federated = federated;
    this.#pick = pick;
    this.#current.set(this.#picked(state.current.value));
    this.#following = this.#follow();
  }

  /**
   * Opens a source and waits for the first SVID, however long the workload is not entitled to one; `signal` ends the wait.
   *
   * @throws {SpiffeError} "endpoint_not_configured" | "endpoint_address"
   * @throws {StatusError} what asking again would not change
   */
  static async open(options: X509SourceOptions = {}): Promise<X509Source> {
    const resolved = resolveSourceOptions(options);
    const client = new WorkloadApiClient(resolved.address, resolved.environmentValue);
    try {
      const stream = {
        open: (signal: AbortSignal) => client.x509Svids(signal),
        read: readX509Context,
      };
      const state = await WatchedState.open(stream, resolved);
      const federated = await FederatedBundles.open(client, resolved);
      return new X509Source(client, state, federated, options.pick ?? (([first]) => first));
    } catch (err) {
      client[Symbol.dispose]();
      throw err;
    }
  }

  /**
   * The identity in use, at this moment.
   *
   * @throws {SpiffeError} "identity_withdrawn" | "source_closed"
   */
  x509Svid(): X509Svid {
    const svid = this.#picked(this.#state.value);
    if (svid === undefined) {
      throw new SpiffeError("identity_withdrawn", "no identity of this workload was picked");
    }
    return svid;
  }

  /** Every identity. @throws {SpiffeError} as {@link x509Svid} */
  x509Svids(): readonly X509Svid[] {
    return this.#state.value.svids;
  }

  bundleFor(trustDomain: TrustDomain): Bundle | undefined {
    const { value } = this.#state.current;
    if (value === undefined) return undefined;
    return value.bundles.bundleFor(trustDomain) ?? this.#federated.bundleFor(trustDomain);
  }

  /** The limits of a foreign bundle, which the TLS and the verifiers of this library keep to. */
  limitsFor(trustDomain: TrustDomain): FederationLimits | undefined {
    return this.#federated.limitsFor(trustDomain);
  }

  /** Changes with each rotation; undefined while there is no identity. */
  get current(): ReadFeed<X509Svid | undefined> {
    return this.#current;
  }

  /** Stops watching. Afterwards the source hands out nothing. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed.abort();
    await this.#state[Symbol.asyncDispose]();
    await this.#federated[Symbol.asyncDispose]();
    await this.#following;
    this.#current.set(undefined);
    this.#client[Symbol.dispose]();
  }

  #picked(context: X509Context | undefined): X509Svid | undefined {
    return context === undefined ? undefined : this.#pick(context.svids);
  }

  async #follow(): Promise<void> {
    for await (const context of this.#state.current.subscribe(this.#closed.signal)) {
      this.#current.set(this.#picked(context));
    }
  }
}
