import type { JsonObject } from "@bufbuild/protobuf";
import type { Clock } from "../../runtime/time/clock.ts";
import type { Bundle, BundleSource } from "../bundle/bundle.ts";
import type { BundleSet } from "../bundle/bundle-set.ts";
import type { FederationLimits } from "../bundle/federation-limits.ts";
import { SpiffeError } from "../error.ts";
import { SpiffeId, type TrustDomain } from "../id/spiffe-id.ts";
import { type JwtSvid, type JwtVerifyOptions, verifyJwtSvid } from "../svid/jwt-svid.ts";
import { WorkloadApiClient } from "./client.ts";
import { FederatedBundles } from "./federated-bundles.ts";
import { readFetchedJwtSvid, readJwtBundles } from "./messages.ts";
import { resolveSourceOptions, type SourceOptions } from "./source-options.ts";
import { WatchedState } from "./watched-state.ts";

/** A JWT-SVID to be fetched. */
export interface JwtSvidRequest {
  /** Who the token is for. One audience is best: a token for several can be passed on among them (JWT-SVID 7.2). */
  readonly audience: string | readonly [string, ...string[]];
  /** Which of the workload's identities; the default one unless given. */
  readonly subject?: SpiffeId;
  readonly signal?: AbortSignal;
}

/**
 * The workload's JWT-SVIDs, and the JWT authorities that it may verify others with. The authorities are kept fresh by the
 * Workload API; tokens are fetched when asked for, since the agent keeps those that are still good.
 */
export class JwtSource implements BundleSource, AsyncDisposable {
  readonly #client: WorkloadApiClient;
  readonly #bundles: WatchedState<BundleSet>;
  readonly #federated: FederatedBundles;
  readonly #clock: Clock;

  private constructor(
    client: WorkloadApiClient,
    bundles: WatchedState<BundleSet>,
    federated: FederatedBundles,
    clock: Clock,
  ) {
    this.#client = client;
    this.#bundles = bundles;
    this.#federated = federated;
    this.#clock = clock;
  }

  /** Opens a source and waits for the first bundles. Throws as X509Source.open does. */
  static async open(options: SourceOptions = {}): Promise<JwtSource> {
    const resolved = resolveSourceOptions(options);
    const client = new WorkloadApiClient(resolved.address, resolved.environmentValue);
    try {
      const stream = {
        open: (signal: AbortSignal) => client.jwtBundles(signal),
        read: readJwtBundles,
      };
      const bundles = await WatchedState.open(stream, resolved);
      const federated = await FederatedBundles.open(client, resolved);
      return new JwtSource(client, bundles, federated, resolved.clock);
    } catch (err) {
      client[Symbol.dispose]();
      throw err;
    }
  }

  /**
   * Fetches a JWT-SVID.
   *
   * @throws {StatusError} PERMISSION_DENIED without an identity, UNAVAILABLE while no token can be signed
   * @throws {SpiffeError} when the answer is not what was asked for
   */
  async jwtSvid(request: JwtSvidRequest): Promise<JwtSvid> {
    const [first] = await this.jwtSvids(request);
    if (first === undefined) throw new SpiffeError("workload_message", "answer holds no token");
    return first;
  }

  /** Fetches a JWT-SVID for each identity, or for `subject` alone; the default identity comes first. */
  async jwtSvids({ audience, subject, signal }: JwtSvidRequest): Promise<readonly JwtSvid[]> {
    const audiences = typeof audience === "string" ? [audience] : audience;
    if (audiences.length === 0 || audiences.includes("")) {
      throw new TypeError("a JWT-SVID needs at least one audience, and no empty one");
    }
    const never = new AbortController().signal;
    const { svids } = await this.#client.jwtSvids(audiences, subject, signal ?? never);
    const now = this.#clock.now();
    return svids.map((svid) => readFetchedJwtSvid(svid, audiences, now));
  }

  /** Verifies another's token here, see verifyJwtSvid. */
  verify(
    token: string,
    audiences: readonly string[],
    options: JwtVerifyOptions = {},
  ): Promise<JwtSvid> {
    return verifyJwtSvid(token, this, audiences, this.#clock.now(), options);
  }

  /**
   * Has the agent validate another's token (Workload API 6.2.3). What the agent knows, and this library does not, counts
   * too; numbers in claims beyond 2^53 lose digits on the way.
   *
   * @throws {StatusError} INVALID_ARGUMENT when the token is not valid
   */
  async validate(
    token: string,
    audience: string,
    signal: AbortSignal = new AbortController().signal,
  ): Promise<{ readonly id: SpiffeId; readonly claims: JsonObject }> {
    if (audience === "") throw new TypeError("a verifier of JWT-SVIDs needs an audience");
    const { spiffeId, claims } = await this.#client.validateJwtSvid(token, audience, signal);
    return { id: SpiffeId.parse(spiffeId), claims: claims ?? {} };
  }

  bundleFor(trustDomain: TrustDomain): Bundle | undefined {
    const { value } = this.#bundles.current;
    if (value === undefined) return undefined;
    return value.bundleFor(trustDomain) ?? this.#federated.bundleFor(trustDomain);
  }

  /** The limits of a foreign bundle, which the TLS and the verifiers of this library keep to. */
  limitsFor(trustDomain: TrustDomain): FederationLimits | undefined {
    return this.#federated.limitsFor(trustDomain);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#bundles[Symbol.asyncDispose]();
    await this.#federated[Symbol.asyncDispose]();
    this.#client[Symbol.dispose]();
  }
}
