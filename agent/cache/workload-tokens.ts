import type { Bundle, JWTKey, WITKey } from "../../proto/gen/spire/api/types/bundle_pb.ts";
import {
  invalidArgument,
  permissionDenied,
  unimplemented,
} from "../../runtime/errors/status-error.ts";
import type { Clock } from "../../runtime/time/clock.ts";
import type { Delivery } from "../audit/delivery-records.ts";
import type { CachedEntry } from "./entry.ts";
import { instanceKey } from "./instance.ts";
import {
  type CachedToken,
  type HeldToken,
  type IssueToken,
  type JwtSvid,
  TokenCache,
  type WitSvid,
} from "./token-cache.ts";
import { recipientOf } from "./view.ts";
import type { WorkloadCaller } from "./workload-view.ts";

export interface WorkloadTokensDeps {
  readonly clock: Clock;
  readonly maxJwtSvids: number;
  readonly issueJwtSvid: IssueToken<JwtSvid>;
  /** Absent where WIT-SVIDs are not offered. */
  readonly issueWitSvid?: IssueToken<WitSvid> | undefined;
  /** Another WIT-SVID is held, which a restart should find again. */
  readonly onWitHeld?: () => void;
  readonly onDelivery: (delivery: Delivery) => void;
  /** The entry as it is now. @throws {StatusError} PERMISSION_DENIED when the caller is not granted it */
  readonly grantedEntry: (caller: WorkloadCaller, entryId: string) => CachedEntry;
}

/** What a caller asks for a token with. */
export interface TokenCall {
  readonly caller: WorkloadCaller;
  readonly entryId: string;
  readonly signal: AbortSignal;
}

/** The JWT-SVIDs and WIT-SVIDs of this node, for callers that an entry grants them to. */
export class WorkloadTokens {
  readonly jwtSvids: TokenCache<JwtSvid>;
  /** Absent where WIT-SVIDs are not offered. */
  readonly witSvids: TokenCache<WitSvid> | undefined;
  readonly #deps: WorkloadTokensDeps;
  #issuanceEpoch = "";

  constructor(deps: WorkloadTokensDeps) {
    this.#deps = deps;
    const { clock, maxJwtSvids: maxSvids, issueWitSvid, onWitHeld: onHeld } = deps;
    const both = { clock, maxSvids, epoch: () => this.#issuanceEpoch };
    this.jwtSvids = new TokenCache({ ...both, issue: deps.issueJwtSvid });
    this.witSvids = issueWitSvid && new TokenCache({ ...both, issue: issueWitSvid, onHeld });
  }

  /** Under what tokens are issued from now on; those issued under anything else are not served again. */
  setIssuanceEpoch(epoch: string): void {
    this.#issuanceEpoch = epoch;
  }

  /** Forgets what keys signed that the own bundle has not, or says are tainted. */
  keepSignedBy(own: Bundle): void {
    this.jwtSvids.keepSignedBy(goodKeyIds(own.jwtAuthorities));
    this.witSvids?.keepSignedBy(goodKeyIds(own.witAuthorities));
  }

  removeEntry(entryId: string): void {
    this.jwtSvids.removeEntry(entryId);
    this.witSvids?.removeEntry(entryId);
  }

  clear(): void {
    this.jwtSvids.clear();
    this.witSvids?.clear();
  }

  /** Takes WIT-SVIDs back from an earlier run, as issued under `epoch`: those that the own bundle still has a good key for. */
  restoreWitSvids(held: readonly HeldToken<WitSvid>[], epoch: string, own?: Bundle): void {
    this.witSvids?.restore(held, epoch);
    this.witSvids?.keepSignedBy(goodKeyIds(own?.witAuthorities ?? []));
  }

  async fetchJwtSvid(call: TokenCall & { readonly audience: readonly string[] }): Promise<JwtSvid> {
    if (call.audience.length === 0) throw invalidArgument("audience: at least one is required");
    const entry = this.#deps.grantedEntry(call.caller, call.entryId);
    const refused = call.audience.find((audience) => !isAllowed(entry, audience));
    if (refused !== undefined) {
      throw permissionDenied("audience is not among those that the entry allows", {
        reason: "audience_not_allowed",
      });
    }
    return this.#fetch("jwt", this.jwtSvids, entry, call, entry.freshJwt);
  }

  async fetchWitSvid(call: TokenCall): Promise<WitSvid> {
    if (this.witSvids === undefined) throw unimplemented("WIT-SVIDs are not offered here");
    const entry = this.#deps.grantedEntry(call.caller, call.entryId);
    return this.#fetch("wit", this.witSvids, entry, { ...call, audience: [] }, false);
  }

  async #fetch<T extends CachedToken>(
    kind: "jwt" | "wit",
    tokens: TokenCache<T>,
    entry: CachedEntry,
    call: TokenCall & { readonly audience: readonly string[] },
    fresh: boolean,
  ): Promise<T> {
    const { caller, audience, signal } = call;
    const instance = instanceKey(entry.instanceScope, caller.instance);
    const svid = await tokens.fetch({ entryId: entry.id, instance, audience }, { fresh, signal });
    // The entry may have gone, or changed its hint, while the server was signing.
    const { hint } = this.#deps.grantedEntry(caller, entry.id);
    this.#deps.onDelivery({
      kind,
      spiffeId: svid.spiffeId,
      entryId: entry.id,
      entryRevision: entry.revision,
      credential: svid.jti ?? "",
      issuer: "",
      audience,
      expiresAt: svid.expiresAt,
      instance,
      ...recipientOf(caller),
    });
    return { ...svid, hint };
  }
}

function goodKeyIds(authorities: readonly (JWTKey | WITKey)[]): ReadonlySet<string> {
  return new Set(authorities.filter(({ tainted }) => !tainted).map(({ keyId }) => keyId));
}

function isAllowed(entry: CachedEntry, audience: string): boolean {
  return entry.allowedAudiences.length === 0 || entry.allowedAudiences.includes(audience);
}
