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
