import type { Selector } from "../../proto/selector.ts";
import type { InstanceScope } from "./instance.ts";

/**
 * A registration entry as this agent may know it: what is needed to match callers and to order credentials, and no more, for
 * an agent holds hundreds of them. Immutable.
 */
export interface CachedEntry {
  readonly id: string;
  /** Raised by the server with every change of the entry. */
  readonly revision: bigint;
  /** Unix seconds. */
  readonly createdAt: bigint;
  /** Unix seconds; 0n never expires. */
  readonly expiresAt: bigint;
  readonly spiffeId: string;
  readonly selectors: readonly Selector[];
  /** Names of the trust domains whose bundles the workload gets too. */
  readonly federatesWith: readonly string[];
  /** Those of them whose bundles may be handed out by themselves although the relationship is limited. */
  readonly unrestrictedFederation: readonly string[];
  readonly hint: string;
  /** Its identity is an administrator's or a nested server's: nobody else may act for it. */
  readonly privileged: boolean;
  /** For a store outside this node: never handed to a local workload. */
  readonly storeSvid: boolean;
  /** Order an X509-SVID before anyone asks for it. */
  readonly prefetch: boolean;
  /** Each JWT-SVID is to be new, so that its jti names one answer. */
  readonly freshJwt: boolean;
  readonly instanceScope: InstanceScope;
  /** Audiences that a JWT-SVID may name; empty means any. */
  readonly allowedAudiences: readonly string[];
}
