import type { IssuanceDecision } from "../policy/issuance.ts";
import type { SigningAuthority } from "./authority.ts";
import { BACKDATE_SECONDS } from "./certificate-profile.ts";
import type { LifetimeCap } from "./issuance.ts";

/** When a credential begins and ends, in whole seconds. */
export interface Lifetime {
  readonly notBefore: Date;
  readonly issuedAt: Date;
  readonly notAfter: Date;
  /** What made it shorter than what was asked for. */
  readonly cappedBy?: LifetimeCap;
}

/**
 * The lifetime that a decision gives, within that of the authority: nothing outlives whoever signed it.
 *
 * @returns undefined if the authority has no time left
 */
export function lifetimeFor(
  { ttlSeconds, ttlCapped }: IssuanceDecision,
  authority: Pick<SigningAuthority, "notAfter">,
  now: Date,
): Lifetime | undefined {
  const nowSeconds = Math.floor(now.getTime() / 1000);
  const wanted = nowSeconds + Math.floor(ttlSeconds);
  const end = Math.min(wanted, Math.floor(authority.notAfter.getTime() / 1000));
  if (end <= nowSeconds) return undefined;
  const cappedBy = end < wanted ? "authority" : ttlCapped ? "policy" : undefined;
  return {
    notBefore: new Date((nowSeconds - BACKDATE_SECONDS) * 1000),
    issuedAt: new Date(nowSeconds * 1000),
    notAfter: new Date(end * 1000),
    ...(cappedBy === undefined ? {} : { cappedBy }),
  };
}
