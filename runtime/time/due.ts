import type { Random } from "../random.ts";

/**
 * The instant at which a credential is to be renewed: when `fraction` of its life has passed, moved by up to `jitter` of that
 * share in either direction. Draw it once per credential and keep it: drawing again at each look would pull the instant
 * forward, and without jitter credentials that were issued together would be renewed together for ever.
 *
 * The result lies within [notBefore, notAfter]; a credential without a positive life is due at `notBefore`.
 *
 * @param o.fraction share of the life after which to renew, in (0, 1]
 * @param o.jitter share of that time by which the instant may move, in [0, 1); 0.1 gives +-10 %
 */
export function renewalInstant(o: {
  readonly notBefore: Date;
  readonly notAfter: Date;
  readonly fraction: number;
  readonly jitter: number;
  readonly random: Random;
}): Date {
  const start = o.notBefore.getTime();
  const lifeMs = o.notAfter.getTime() - start;
  const shift = 1 + o.jitter * (2 * o.random.uniform() - 1);
  const afterMs = Math.min(Math.max(lifeMs, 0), Math.max(0, lifeMs * o.fraction * shift));
  return new Date(start + Math.round(afterMs));
}

/** What has just arrived is not renewed before this, however wrong the machine's clock is. */
const MIN_RENEW_MS = 5_000;

/**
 * How long to wait before a credential that has just been signed is renewed. The instant was drawn by the issuer's clock. Where
 * this machine's is ahead of it the instant may seem to have passed, and one renewal would lead to the next at once, without
 * end; where it is behind, the credential would expire for everybody else before it is renewed here.
 *
 * @param o.renewAt as drawn by {@link renewalInstant}
 * @returns milliseconds; where the clocks agree they lead to `renewAt`
 */
export function renewalDelayMs(o: {
  readonly notBefore: Date;
  readonly notAfter: Date;
  readonly renewAt: Date;
  readonly now: Date;
}): number {
  const nowMs = o.now.getTime();
  const drawnMs = o.renewAt.getTime() - o.notBefore.getTime();
  const leftMs = o.notAfter.getTime() - nowMs;
  const leastMs = Math.max(Math.min(drawnMs, leftMs) / 2, MIN_RENEW_MS);
  return Math.min(drawnMs, Math.max(o.renewAt.getTime() - nowMs, leastMs));
}
