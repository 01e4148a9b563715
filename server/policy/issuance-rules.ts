import type { JwsAlgorithm } from "../keymanager/key-type.ts";
import { isDnsName } from "./dns-name.ts";
import type { IssuanceContext, IssuanceReason, IssuanceRequest } from "./issuance.ts";
import type { IssuancePolicy } from "./issuance-policy.ts";

/** Why something is not issued. */
export interface Objection {
  readonly reasonCode: IssuanceReason;
  /** For people; safe to show to the actor. */
  readonly message: string;
}

/** One rule: it objects or it does not. */
export interface IssuanceRule {
  readonly id: string;
  readonly check: (
    request: IssuanceRequest,
    context: IssuanceContext,
    policy: IssuancePolicy,
  ) => Objection | undefined;
}

/**
 * The rules in the order in which they are asked: banned, revoked, exception expired, policy, template. The first objection decides,
 * so the reason told is the gravest one.
 */
export const ISSUANCE_RULES: readonly IssuanceRule[] = [
  { id: "banned", check: checkBanned },
  { id: "revoked", check: checkRevoked },
  { id: "exception", check: checkException },
  { id: "policy.enabled", check: checkEnabled },
  { id: "policy.actor", check: checkActor },
  { id: "policy.entry", check: checkEntry },
  { id: "policy.audience", check: checkAudiences },
  { id: "policy.algorithm", check: checkAlgorithm },
  { id: "template.id", check: checkId },
  { id: "template.dns", check: checkDnsNames },
];

function checkBanned({ actor, profile, subject }: IssuanceRequest, context: IssuanceContext) {
  const isBanned =
    (actor.kind === "agent" && context.isBanned(actor.id)) ||
    (profile === "x509_agent" && context.isBanned(subject.toString()));
  return isBanned ? object("actor_banned", "agent is banned") : undefined;
}

function checkRevoked({ subject, entry }: IssuanceRequest, context: IssuanceContext) {
  return context.isRevoked(subject.toString(), entry?.id)
    ? object("subject_revoked", "the identity has been revoked")
    : undefined;
}

function checkException(request: IssuanceRequest, context: IssuanceContext) {
  const until = context.exceptionUntil(request);
  return until !== undefined && until.getTime() <= context.now.getTime()
    ? object("exception_expired", "the exception for this identity has ended")
    : undefined;
}

function checkEnabled({ profile }: IssuanceRequest, _: IssuanceContext, policy: IssuancePolicy) {
  return policy.disabled.has(profile)
    ? object("disabled", "this kind of SVID is not issued by this server")
    : undefined;
}

/** Who may be given what: each profile has one kind of actor, and minting needs the role besides. */
function checkActor({ actor, profile, subject }: IssuanceRequest): Objection | undefined {
  switch (profile) {
    case "x509_workload":
    case "jwt_workload":
    case "wit_workload":
      return actor.kind === "agent"
        ? undefined
        : object("actor_kind", "only agents may ask for it");
    case "x509_agent":
      return actor.kind === "attesting" ||
        (actor.kind === "agent" && actor.id === subject.toString())
        ? undefined
        : object("actor_kind", "only the agent itself may ask for it");
    case "x509_server":
      return actor.kind === "system"
        ? undefined
        : object("actor_kind", "only the server itself may ask for it");
    case "x509_mint":
    case "jwt_mint":
    case "wit_mint":
      return actor.kind === "administrator" && actor.mayMint
        ? undefined
        : object("not_minter", "minting needs the role minter");
    case "x509_downstream_ca":
      return actor.kind === "downstream"
        ? undefined
        : object("not_downstream", "only downstream servers may ask for it");
  }
}

function checkEntry(request: IssuanceRequest, context: IssuanceContext): Objection | undefined {
  const { profile, entry, subject } = request;
  const needsEntry = profile.endsWith("_workload") || profile === "x509_downstream_ca";
  if (!needsEntry) return undefined;
  if (entry === undefined) return object("entry_missing", "no registration entry was given");
  if (entry.spiffeId !== subject.toString()) {
    return object("entry_mismatch", "the registration entry is for another SPIFFE ID");
  }
  if (entry.expiresAt !== undefined && entry.expiresAt.getTime() <= context.now.getTime()) {
    return object("entry_expired", "the registration entry has expired");
  }
  return profile === "x509_downstream_ca" && !entry.downstream
    ? object("not_downstream", "the registration entry is not for a downstream server")
    : undefined;
}

const MAX_AUDIENCE_LENGTH = 1024;

function checkAudiences(
  { profile, audiences, entry }: IssuanceRequest,
  _: IssuanceContext,
  policy: IssuancePolicy,
): Objection | undefined {
  if (!profile.startsWith("jwt_")) return undefined;
  if (audiences.length === 0)
    return object("audience_missing", "at least one audience is required");
  if (audiences.length > policy.maxAudiences) {
    return object("audience_limit", `at most ${policy.maxAudiences} audiences are allowed`);
  }
  if (audiences.some((one) => one.length === 0 || one.length > MAX_AUDIENCE_LENGTH)) {
    return object("audience_limit", `an audience must have 1 to ${MAX_AUDIENCE_LENGTH} characters`);
  }
  const allowed = entry?.allowedAudiences ?? [];
  const isAllowed = allowed.length === 0 || audiences.every((one) => allowed.includes(one));
  return isAllowed
    ? undefined
    : object("audience_not_allowed", "the registration entry does not allow this audience");
}

/** An audience can take nothing else than what it asks for, so it goes before the entry. */
function checkAlgorithm(
  request: IssuanceRequest,
  _: IssuanceContext,
  policy: IssuancePolicy,
): Objection | undefined {
  const wanted = wantedAlgorithms(request, policy);
  if (wanted.size > 1) {
    const names = [...wanted].join(" and ");
    return object("algorithm_conflict", `the audiences want ${names}: ask for one token each`);
  }
  const missing = [...wanted].find((algorithm) => !policy.jwtAlgorithms.includes(algorithm));
  return missing === undefined
    ? undefined
    : object("algorithm_unavailable", `this server has no JWT authority for ${missing}`);
}

const NO_ALGORITHMS: ReadonlySet<JwsAlgorithm> = new Set();

/** The algorithms that a token would have to be signed with: none where nobody says, several where audiences disagree. */
export function wantedAlgorithms(
  { profile, audiences, entry }: IssuanceRequest,
  { audienceAlgorithms }: IssuancePolicy,
): ReadonlySet<JwsAlgorithm> {
  if (!profile.startsWith("jwt_")) return NO_ALGORITHMS;
  const byAudience =
    audienceAlgorithms.size === 0
      ? []
      : audiences.flatMap((audience) => audienceAlgorithms.get(audience) ?? []);
  if (byAudience.length > 0) return new Set(byAudience);
  return entry?.jwtAlgorithm === undefined ? NO_ALGORITHMS : new Set([entry.jwtAlgorithm]);
}

const SERVER_PATH = "/spire/server";
const AGENT_PREFIX = "/spire/agent/";

/** IDs under /spire are for the parts of the system itself, each in its place; a credential for a whole trust domain is for nobody. */
function checkId(
  { profile, subject }: IssuanceRequest,
  _: IssuanceContext,
  policy: IssuancePolicy,
): Objection | undefined {
  const { path } = subject;
  if (!subject.memberOf(policy.trustDomain)) {
    return object("foreign_trust_domain", "the SPIFFE ID is in another trust domain");
  }
  if (path === "") return object("root_id", "the SPIFFE ID has no path");
  if (profile === "x509_agent") {
    return path.startsWith(AGENT_PREFIX)
      ? undefined
      : object("agent_id", `an agent's ID begins with ${AGENT_PREFIX}`);
  }
  if (profile === "x509_server") {
    return path === SERVER_PATH
      ? undefined
      : object("server_id", `a server's ID is ${SERVER_PATH}`);
  }
  return path === "/spire" || path.startsWith("/spire/")
    ? object("reserved_id", "IDs under /spire are reserved for servers and agents")
    : undefined;
}

function checkDnsNames(
  { dnsNames }: IssuanceRequest,
  _: IssuanceContext,
  policy: IssuancePolicy,
): Objection | undefined {
  if (dnsNames.length > policy.maxDnsNames) {
    return object("dns_name", `at most ${policy.maxDnsNames} DNS names are allowed`);
  }
  return dnsNames.every(isDnsName) ? undefined : object("dns_name", "a DNS name is not valid");
}

function object(reasonCode: IssuanceReason, message: string): Objection {
  return { reasonCode, message };
}
