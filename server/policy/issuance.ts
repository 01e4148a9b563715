import type { SpiffeId } from "../../spiffe/id/spiffe-id.ts";
import type { JwsAlgorithm } from "../keymanager/key-type.ts";

/** What kind of credential for what kind of holder: the unit that lifetimes and rules are set for. */
export const ISSUANCE_PROFILES = [
  "x509_workload",
  "x509_agent",
  "x509_server",
  "x509_mint",
  "x509_downstream_ca",
  "jwt_workload",
  "jwt_mint",
  "wit_workload",
  "wit_mint",
] as const;

/** One of {@link ISSUANCE_PROFILES}. */
export type IssuanceProfile = (typeof ISSUANCE_PROFILES)[number];

/** Everything that the decision to issue one credential may depend on, except the state of the world. */
export interface IssuanceRequest {
  readonly profile: IssuanceProfile;
  /** Whose credential it is to be. */
  readonly subject: SpiffeId;
  /** Who asks for it: an agent for its workloads, an administrator who mints, the server for itself. */
  readonly actor: IssuanceActor;
  /** The registration entry, for profiles that need one. */
  readonly entry?: IssuanceEntry;
  readonly dnsNames: readonly string[];
  /** For tokens; empty for certificates. */
  readonly audiences: readonly string[];
  /** What was asked for, where the caller may ask. */
  readonly requestedTtlSeconds?: number;
}

/** Who asks for a credential. */
export interface IssuanceActor {
  readonly kind: "agent" | "administrator" | "downstream" | "attesting" | "system";
  /** SPIFFE ID, or "uid:1000". */
  readonly id: string;
  /** Whether the role of minting was granted. */
  readonly mayMint: boolean;
}

/** What of an entry the decision looks at. */
export interface IssuanceEntry {
  readonly id: string;
  readonly revision: number;
  readonly spiffeId: string;
  readonly expiresAt?: Date;
  /** For the profile in question; the profile's default applies without it. */
  readonly ttlSeconds?: number;
  /** Empty allows any. */
  readonly allowedAudiences: readonly string[];
  /** What its JWT-SVIDs are to be signed with, where the entry says so. */
  readonly jwtAlgorithm?: JwsAlgorithm;
  readonly downstream: boolean;
}

/** The state of the world that the decision reads. Each function must be quick, and may throw: that is a denial. */
export interface IssuanceContext {
  readonly now: Date;
  /** Whether an agent has been banned. */
  isBanned(agentId: string): boolean;
  /** Whether credentials of this ID, or of this entry, were withdrawn. */
  isRevoked(spiffeId: string, entryId: string | undefined): boolean;
  /** When the exception under which this may be issued ends; undefined where none is needed. */
  exceptionUntil(request: IssuanceRequest): Date | undefined;
  readonly revocationEpoch: bigint;
}

/** The answer. */
export interface IssuanceDecision {
  readonly decision: "allow" | "deny";
  /** "ok", or why not: stable, in snake_case. */
  readonly reasonCode: IssuanceReason;
  /** For people; safe to show to the actor. */
  readonly message: string;
  /** The rules that spoke, in order. */
  readonly ruleIds: readonly string[];
  readonly policyRevision: string;
  /** Longest lifetime; zero for a denial. */
  readonly maxTtlSeconds: number;
  /** What the lifetime is to be: as requested, by the entry, or the default, and never above the maximum. */
  readonly ttlSeconds: number;
  /** Whether `ttlSeconds` is less than what was asked for. */
  readonly ttlCapped: boolean;
  /** The audiences that the token may have. */
  readonly audiences: readonly string[];
  /** What a JWT-SVID must be signed with; the default one where it is absent. */
  readonly jwtAlgorithm?: JwsAlgorithm;
}

/** See {@link IssuanceDecision.reasonCode}. */
export type IssuanceReason =
  | "ok"
  | "actor_banned"
  | "subject_revoked"
  | "exception_expired"
  | "entry_missing"
  | "entry_expired"
  | "entry_mismatch"
  | "actor_kind"
  | "not_minter"
  | "not_downstream"
  | "reserved_id"
  | "foreign_trust_domain"
  | "root_id"
  | "agent_id"
  | "server_id"
  | "audience_missing"
  | "audience_not_allowed"
  | "audience_limit"
  | "algorithm_conflict"
  | "algorithm_unavailable"
  | "dns_name"
  | "disabled"
  | "policy_error";
