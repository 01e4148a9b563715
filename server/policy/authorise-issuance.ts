import type { IssuanceContext, IssuanceDecision, IssuanceRequest } from "./issuance.ts";
import type { IssuancePolicy, Lifetime } from "./issuance-policy.ts";
import { ISSUANCE_RULES, type Objection, wantedAlgorithms } from "./issuance-rules.ts";

/**
 * The one door for credentials (D12): every X.509, JWT, WIT, minted, agent and downstream credential is asked for here, and nothing
 * is signed without its answer. An error is a denial. Reads no clock and keeps nothing.
 */
export function authoriseIssuance(
  request: IssuanceRequest,
  context: IssuanceContext,
  policy: IssuancePolicy,
): IssuanceDecision {
  try {
    for (const { id, check } of ISSUANCE_RULES) {
      const objection = check(request, context, policy);
      if (objection !== undefined) return deny(objection, id, policy);
    }
    return allow(request, context, policy);
  } catch {
    const objection = {
      reasonCode: "policy_error",
      message: "the policy could not be evaluated",
    } as const;
    return deny(objection, "error", policy);
  }
}

function allow(
  request: IssuanceRequest,
  context: IssuanceContext,
  policy: IssuancePolicy,
): IssuanceDecision {
  const lifetime: Lifetime = policy.lifetimes[request.profile];
  const until = context.exceptionUntil(request);
  const untilSeconds =
    until === undefined
      ? Number.POSITIVE_INFINITY
      : Math.floor((until.getTime() - context.now.getTime()) / 1000);
  const maxTtlSeconds = Math.min(lifetime.maxSeconds, untilSeconds);
  const wanted =
    request.requestedTtlSeconds ?? request.entry?.ttlSeconds ?? lifetime.defaultSeconds;
  const ttlSeconds = Math.min(wanted, maxTtlSeconds);
  if (!(ttlSeconds > 0)) throw new RangeError("a lifetime must be longer than nothing");
  const ttlCapped = ttlSeconds < wanted;
  const [jwtAlgorithm] = wantedAlgorithms(request, policy);
  return {
    decision: "allow",
    reasonCode: "ok",
    message: "",
    ruleIds: ttlCapped ? ["ttl.max"] : [],
    policyRevision: policy.revision,
    maxTtlSeconds,
    ttlSeconds,
    ttlCapped,
    audiences: request.audiences,
    ...(jwtAlgorithm === undefined ? {} : { jwtAlgorithm }),
  };
}

function deny(objection: Objection, ruleId: string, policy: IssuancePolicy): IssuanceDecision {
  return {
    decision: "deny",
    ...objection,
    ruleIds: [ruleId],
    policyRevision: policy.revision,
    maxTtlSeconds: 0,
    ttlSeconds: 0,
    ttlCapped: false,
    audiences: [],
  };
}
