import type { Clock } from "../../runtime/time/clock.ts";
import type { Bundle, BundleSource } from "../bundle/bundle.ts";
import type { BundleSet } from "../bundle/bundle-set.ts";
import { SpiffeError } from "../error.ts";
import type { SpiffeId, TrustDomain } from "../id/spiffe-id.ts";
import { type UnprovenWitSvid, verifyWitSvid, type WitVerifyOptions } from "../svid/wit-svid.ts";
import {
  type ProofContext,
  type ProvenWitSvid,
  verifyWorkloadProof,
  type WitPresentation,
} from "../svid/workload-proof.ts";
import { WorkloadApiClient } from "./client.ts";
import { resolveSourceOptions, type SourceOptions } from "./source-options.ts";
import { WatchedState } from "./watched-state.ts";
import { type OwnWitSvid, readWitBundles, readWitSvids } from "./wit-messages.ts";

/** What a {@link WitSource} takes. */
export interface WitSourceOptions extends SourceOptions {
  /** Which of the workload's identities; the default one unless given. */
  readonly subject?: SpiffeId;
}

/**
 * The workload's WIT-SVIDs with their keys, and the WIT authorities that it may verify others with, kept fresh by the Workload
 * API. Experimental, as the standard is: an agent that does not offer WIT-SVIDs answers UNIMPLEMENTED.
 */
export class WitSource implements BundleSource, AsyncDisposable {
  readonly #client: WorkloadApiClient;
  readonly #svids: WatchedState<readonly [OwnWitSvid, ...OwnWitSvid[]]>;
  readonly #bundles: WatchedState<BundleSet>;
  readonly #subject: SpiffeId | undefined;
  readonly #clock: Clock;

  private constructor(o: {
    readonly client: WorkloadApiClient;
    readonly svids: WatchedState<readonly [OwnWitSvid, ...OwnWitSvid[]]>;
    readonly bundles: WatchedState<BundleSet>;
    readonly subject: SpiffeId | undefined;
    readonly clock: Clock;
  }) {
    this.#client = o.client;
    this.#svids = o.svids;
    this.#bundles = o.bundles;
    this.#subject = o.subject;
    this.#clock = o.clock;
  }

  /** Opens a source and waits for the first WIT-SVID and bundles. Throws as X509Source.open does. */
  static async open(options: WitSourceOptions = {}): Promise<WitSource> {
    const resolved = resolveSourceOptions(options);
    const { clock } = resolved;
    const { subject } = options;
    const client = new WorkloadApiClient(resolved.address, resolved.environmentValue);
    const svids = WatchedState.open(
      {
        open: (signal) => client.witSvids(subject, signal),
        read: (message) => readWitSvids(message, clock.now()),
      },
      resolved,
    );
    const bundles = WatchedState.open(
      { open: (signal) => client.witBundles(signal), read: readWitBundles },
      resolved,
    );
    const settled = await Promise.allSettled([svids, bundles]);
    const failed = settled.find((each) => each.status === "rejected");
    if (failed === undefined) {
      return new WitSource({
        client,
        svids: await svids,
        bundles: await bundles,
        subject,
        clock,
      });
    }
    for (const each of settled) {
      if (each.status === "fulfilled") await each.value[Symbol.asyncDispose]();
    }
    client[Symbol.dispose]();
    throw failed.reason;
  }

  /**
   * The WIT-SVID in use, at this moment, with its key; `createWorkloadProof` proves it.
   *
   * @throws {SpiffeError} "identity_withdrawn" | "source_closed"
   */
  witSvid(): OwnWitSvid {
    const svids = this.#svids.value;
    const subject = this.#subject;
    const found = svids.find(({ wit }) => subject === undefined || wit.id.equals(subject));
    if (found !== undefined) return found;
    throw new SpiffeError("identity_withdrawn", "the identity that was asked for is not granted");
  }

  /** Every one. @throws {SpiffeError} as {@link witSvid} */
  witSvids(): readonly OwnWitSvid[] {
    return this.#svids.value;
  }

  /**
   * Verifies what another sent with a request: its WIT-SVID, and the proof that it holds the key.
   *
   * @throws {SpiffeError} the codes of verifyWitSvid and verifyWorkloadProof
   */
  async verify(
    { wit, proof }: WitPresentation,
    context: ProofContext,
    options: WitVerifyOptions = {},
  ): Promise<ProvenWitSvid> {
    const unproven = await this.verifyUnproven(wit, options);
    return verifyWorkloadProof(unproven, proof, context, this.#clock.now());
  }

  /** Verifies a WIT-SVID alone. It identifies nobody before its presenter has proved to hold the key. */
  verifyUnproven(token: string, options: WitVerifyOptions = {}): Promise<UnprovenWitSvid> {
    return verifyWitSvid(token, this, this.#clock.now(), options);
  }

  bundleFor(trustDomain: TrustDomain): Bundle | undefined {
    return this.#bundles.current.value?.bundleFor(trustDomain);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#svids[Symbol.asyncDispose]();
    await this.#bundles[Symbol.asyncDispose]();
    this.#client[Symbol.dispose]();
  }
}
