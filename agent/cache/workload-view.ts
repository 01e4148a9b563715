import type { Selector } from "../../proto/selector.ts";
import type { ReadFeed } from "../../runtime/feed.ts";
import type { DeliveredTo } from "../audit/delivery-records.ts";
import type { CachedBundle } from "./bundle-cache.ts";
import type { InstanceFacts } from "./instance.ts";
import type { JwtSvid, WitSvid } from "./token-cache.ts";

/** A caller of the Workload API, as attested; or a workload that somebody else calls for. */
export interface WorkloadCaller {
  readonly selectors: readonly Selector[];
  readonly instance: InstanceFacts;
  /** Path of the executable, for the record of who holds which credential. */
  readonly executable?: string;
  /** Who calls, where that is not the workload itself. It gets nothing of privileged entries. */
  readonly delegate?: DeliveredTo;
}

/**
 * Whether this agent may answer at all.
 * - `starting`: nothing has been synchronised yet, and no state was found: answer UNAVAILABLE.
 * - `ready`
 * - `banned`: the server shut this agent out; identities are gone: answer PERMISSION_DENIED.
 * - `offline_too_long`: `offline.maxAge` has passed without a server: answer UNAVAILABLE.
 */
export type ServingState = "starting" | "ready" | "banned" | "offline_too_long";

/** How far the agent's view reaches; for health, waiting and explanations. */
export interface ViewStatus {
  readonly serving: ServingState;
  /** Revision of the server's store that the cache holds; 0 when the server has none to tell. */
  readonly revision: bigint;
  /** The newest revision that the server has spoken of. */
  readonly serverRevision: bigint;
  /** A stream to the server (or the last poll) works. */
  readonly connected: boolean;
  /** When the server last confirmed this view. */
  readonly lastContactAt?: Date;
}

/** One X509-SVID that a workload holds. The buffers are shared: never change them. */
export interface WorkloadIdentity {
  readonly entryId: string;
  readonly spiffeId: string;
  readonly hint: string;
  /** Lower-case hexadecimal. */
  readonly serialNumber: string;
  /** Leaf and intermediates, each ASN.1 DER, concatenated, as the Workload API wants them. */
  readonly certificateChainDer: Uint8Array;
  /** PKCS#8, ASN.1 DER. */
  readonly privateKeyPkcs8: Uint8Array;
  readonly expiresAt: Date;
  readonly federatesWith: readonly string[];
}

/** An identity that a caller's selectors give it, whether or not an X509-SVID is at hand. */
export interface GrantedEntry {
  readonly entryId: string;
  readonly spiffeId: string;
  readonly hint: string;
  /** Audiences that a JWT-SVID may name; empty means any. */
  readonly allowedAudiences: readonly string[];
}

/** What one workload may have at one moment. Immutable. */
export interface WorkloadView {
  /** Raised when anything but `pending` changes: views with the same version are the same answer. */
  readonly version: number;
  readonly serving: ServingState;
  /** Oldest entry first, so that the default identity stays the same when entries are added. */
  readonly identities: readonly WorkloadIdentity[];
  /** Every entry that the selectors grant, in the same order. */
  readonly entries: readonly GrantedEntry[];
  /**
   * Granted entries whose X509-SVID is on its way and may be here in a moment. An entry without an identity that is not pending
   * has failed for now (no server, or the server refused) and is being tried again.
   */
  readonly pending: number;
  /** Bundle of the own trust domain. */
  readonly bundle: CachedBundle | undefined;
  /**
   * Bundles of the trust domains that the granted entries federate with and that may be handed out by themselves, by trust
   * domain name: the relationship is unlimited, or an entry says so. Whoever can keep to `limits` does so with these too.
   */
  readonly federatedBundles: ReadonlyMap<string, CachedBundle>;
  /** The other ones: only for whoever enforces their `limits`, or hands them on to somebody who does. */
  readonly limitedBundles: ReadonlyMap<string, CachedBundle>;
}

/** An open stream's share in the cache. */
export interface Subscription extends Disposable {
  readonly feed: ReadFeed<WorkloadView>;
  /** Says that a view has been written to the workload; the server's operators see it as "delivered". */
  delivered(view: WorkloadView): void;
}

/** What the Workload API, SDS and the CSI driver read. Implemented by Subscriptions in subscriptions.ts. */
export interface WorkloadViews {
  readonly status: ReadFeed<ViewStatus>;
  /** Opens a feed that orders X509-SVIDs for the caller's instance and keeps them fresh until it is disposed of. */
  openX509(caller: WorkloadCaller): Subscription;
  /** The same without X509-SVIDs: `identities` stays empty and nothing is ordered. For bundles and JWT-SVIDs. */
  openEntries(caller: WorkloadCaller): Subscription;
  /** Every bundle that this agent may know. For delegates; workloads get those of their entries. */
  readonly allBundles: ReadFeed<readonly CachedBundle[]>;
  /** The entries that a caller's selectors grant at this moment. */
  granted(caller: WorkloadCaller): readonly GrantedEntry[];
  /** Changes when an entry comes that asks for a kind of selector which none asked for before; see `asksFor`. */
  readonly selectorKinds: ReadFeed<number>;
  /** Whether any entry of this node asks for a kind of selector, for example type "unix" and prefix "sha256:". */
  asksFor(type: string, prefix: string): boolean;
  /** Whether the caller would be granted more if every undecided selector turned out to be true. */
  couldGrant(
    caller: Pick<WorkloadCaller, "selectors">,
    isUndecided: (selector: Selector) => boolean,
  ): boolean;
  /**
   * A JWT-SVID for one granted entry, from the cache or the server.
   * @throws {StatusError} PERMISSION_DENIED, INVALID_ARGUMENT, UNAVAILABLE
   */
  fetchJwtSvid(o: {
    readonly caller: WorkloadCaller;
    readonly entryId: string;
    readonly audience: readonly string[];
    readonly signal: AbortSignal;
  }): Promise<JwtSvid>;
  /** Whether {@link fetchWitSvid} is there to be used. */
  readonly offersWitSvids: boolean;
  /**
   * The WIT-SVID of the caller's instance for one granted entry, with its key, from the cache or the server.
   * @throws {StatusError} PERMISSION_DENIED, UNAVAILABLE; UNIMPLEMENTED where there are none
   */
  fetchWitSvid(o: {
    readonly caller: WorkloadCaller;
    readonly entryId: string;
    readonly signal: AbortSignal;
  }): Promise<WitSvid>;
}
