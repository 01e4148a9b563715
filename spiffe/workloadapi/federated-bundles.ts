import type { FederationLimits as WireLimits } from "../../proto/gen/assay/federation/v1/limits_pb.ts";
import type { FetchFederatedBundlesResponse } from "../../proto/gen/assay/workload/v1/federation_pb.ts";
import { Bundle, type BundleSource } from "../bundle/bundle.ts";
import { parseTrustDomainKey } from "../bundle/bundle-set.ts";
import { FederationLimits } from "../bundle/federation-limits.ts";
import { parseWorkloadJwks } from "../bundle/workload-jwks.ts";
import { parseX509Authorities } from "../bundle/x509-authorities.ts";
import { SpiffeError } from "../error.ts";
import { IdPattern } from "../id/id-pattern.ts";
import type { TrustDomain } from "../id/spiffe-id.ts";
import type { WorkloadApiClient } from "./client.ts";
import type { ResolvedSourceOptions } from "./source-options.ts";
import { watch } from "./watch.ts";

/** Of the year 9999, in Unix seconds. */
const LAST_SECOND = 253_402_300_799n;

interface LimitedBundle {
  readonly bundle: Bundle;
  readonly limits: FederationLimits;
}

/**
 * Foreign bundles that come with limits, beside the Workload API. An agent without them changes nothing: then there are none, and
 * bundles are what the Workload API says.
 */
export class FederatedBundles implements Required<BundleSource>, AsyncDisposable {
  #byName: ReadonlyMap<string, LimitedBundle> = new Map();
  readonly #closed = new AbortController();
  readonly #running: Promise<void>;

  private constructor(
    client: Pick<WorkloadApiClient, "federatedBundles">,
    options: ResolvedSourceOptions,
    onFirst: () => void,
  ) {
    this.#running = watch(
      {
        open: (signal: AbortSignal) => client.federatedBundles(signal),
        read: readFederatedBundles,
        onUpdate: (bundles) => {
          this.#byName = bundles;
          onFirst();
        },
        onWithdrawn: () => {
          this.#byName = new Map();
        },
        onProblem: (err) => {
          onFirst();
          options.onProblem(err);
        },
      },
      options,
      this.#closed.signal,
    )
      // The agent has no such call, and asking again would not change that.
      .catch(() => {})
      .finally(onFirst);
  }

  /** Waits for the first answer, or until it is known that there is none now. Never rejects. */
  static async open(
    client: Pick<WorkloadApiClient, "federatedBundles">,
    options: ResolvedSourceOptions,
  ): Promise<FederatedBundles> {
    const first = Promise.withResolvers<void>();
    const bundles = new FederatedBundles(client, options, () => first.resolve());
    await first.promise;
    return bundles;
  }

  bundleFor(trustDomain: TrustDomain): Bundle | undefined {
    return this.#byName.get(trustDomain.name)?.bundle;
  }

  limitsFor(trustDomain: TrustDomain): FederationLimits | undefined {
    return this.#byName.get(trustDomain.name)?.limits;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed.abort();
    await this.#running;
    this.#byName = new Map();
  }
}

/** Reads a message; since it is the full state, one bad bundle spoils all of it. @throws {SpiffeError} */
function readFederatedBundles({
  bundles,
}: FetchFederatedBundlesResponse): ReadonlyMap<string, LimitedBundle> {
  return new Map(
    bundles.map(({ limits, x509Authorities, jwtAuthorities }) => {
      const trustDomain = parseTrustDomainKey(limits?.trustDomain ?? "");
      const { authorities } = parseX509Authorities(x509Authorities);
      const jwt = parseWorkloadJwks("jwt-svid", jwtAuthorities);
      const content = { x509Authorities: authorities, jwtAuthorities: jwt.authorities };
      const bundle = new Bundle(trustDomain, content);
      return [trustDomain.name, { bundle, limits: readLimits(limits) }];
    }),
  );
}

function readLimits(wire: WireLimits | undefined): FederationLimits {
  if (wire === undefined) throw malformed("it has no limits");
  const { any, idPatterns, audiences, endsAt, purpose, owner } = wire;
  // An instant that is none would never come.
  if (endsAt < 0n || endsAt > LAST_SECOND) throw malformed("its end is no time");
  try {
    return new FederationLimits({
      any,
      idPatterns: idPatterns.map((pattern) => IdPattern.parse(pattern)),
      audiences,
      endsAt: endsAt === 0n ? undefined : new Date(Number(endsAt) * 1000),
      purpose,
      owner,
    });
  } catch (cause) {
    throw malformed("its limits make no sense", cause);
  }
}

function malformed(reason: string, cause?: unknown): SpiffeError {
  return new SpiffeError("workload_message", `federated bundle is refused: ${reason}`, { cause });
}
