import { AUTHORITY_SCHEDULE } from "../config/authority-schedule.ts";
import type { AuthorityState } from "../store/records.ts";

/** What the schedule looks at. */
export interface AuthorityLife {
  readonly id: string;
  readonly state: AuthorityState;
  readonly notBefore: Date;
  readonly notAfter: Date;
  /** Whether this server can use the key. */
  readonly hasKey: boolean;
}

/** One thing that is due. */
export type AuthorityStep =
  | { readonly kind: "prepare" }
  | { readonly kind: "activate"; readonly id: string }
  | { readonly kind: "retire"; readonly id: string }
  | { readonly kind: "forget"; readonly id: string };

/** An authority stays in the bundle this long after its end, for verifiers whose clocks are behind. */
const FORGET_AFTER_MS = 24 * 3_600_000;

/** A clock that is behind by less than this does not make an authority unusable. */
const LEEWAY_MS = 60_000;

/**
 * The next thing that is due for the authorities of one lane at an instant; undefined if nothing is. Pure: whoever does the step asks
 * again with the result.
 *
 * @param isClockSteady whether the wall clock has been going evenly for a while; only then is anything forgotten, because a clock that
 *   jumps ahead must not take authorities out of the bundle
 */
export function nextStep(
  authorities: readonly AuthorityLife[],
  now: Date,
  isClockSteady: boolean,
): AuthorityStep | undefined {
  return (
    nextSigner(authorities, now) ?? (isClockSteady ? nextForgotten(authorities, now) : undefined)
  );
}

/** The same for authorities of a lane that there are to be no more of. */
export function nextStepUnwanted(
  authorities: readonly AuthorityLife[],
  now: Date,
  isClockSteady: boolean,
): AuthorityStep | undefined {
  const inUse = authorities.find(({ state }) => state === "active" || state === "prepared");
  if (inUse !== undefined) return { kind: "retire", id: inUse.id };
  return isClockSteady ? nextForgotten(authorities, now) : undefined;
}

function nextSigner(authorities: readonly AuthorityLife[], now: Date): AuthorityStep | undefined {
  const active = authorities.find(({ state }) => state === "active");
  const prepared = authorities.findLast((one) => one.state === "prepared" && isUsable(one, now));
  if (active === undefined || !isUsable(active, now) || isPast(active, now, "activateAt")) {
    return prepared === undefined ? { kind: "prepare" } : { kind: "activate", id: prepared.id };
  }
  return prepared === undefined && isPast(active, now, "prepareAt")
    ? { kind: "prepare" }
    : undefined;
}

function nextForgotten(
  authorities: readonly AuthorityLife[],
  now: Date,
): AuthorityStep | undefined {
  const ended = authorities.find((one) => one.state !== "active" && isForgettable(one, now));
  return ended === undefined ? undefined : { kind: "forget", id: ended.id };
}

function isUsable({ hasKey, notBefore, notAfter }: AuthorityLife, now: Date): boolean {
  const at = now.getTime();
  return hasKey && notBefore.getTime() - LEEWAY_MS <= at && at < notAfter.getTime();
}

function isPast(
  { notBefore, notAfter }: AuthorityLife,
  now: Date,
  share: keyof typeof AUTHORITY_SCHEDULE,
): boolean {
  const lifeMs = notAfter.getTime() - notBefore.getTime();
  return now.getTime() >= notAfter.getTime() - lifeMs * AUTHORITY_SCHEDULE[share];
}

function isForgettable({ notAfter }: AuthorityLife, now: Date): boolean {
  return now.getTime() >= notAfter.getTime() + FORGET_AFTER_MS;
}
