import { rateLimited } from "../../proto/convert/status.ts";
import { resourceExhausted, type StatusError } from "../../runtime/errors/status-error.ts";
import type { Clock } from "../../runtime/time/clock.ts";
import { type Rate, TokenBuckets } from "../../runtime/time/token-buckets.ts";
import type { LimitClass, Rates } from "../config/limits.ts";

/**
 * Token buckets, one for each caller and class of call. A caller that has used up its own gets RESOURCE_EXHAUSTED with the
 * time to wait; others do not notice. Work and memory per call are constant.
 */
export class RateLimiter {
  readonly #buckets: TokenBuckets;
  #rates: Rates;

  constructor(deps: { readonly clock: Clock; readonly rates: Rates }) {
    this.#buckets = new TokenBuckets(deps.clock);
    this.#rates = deps.rates;
  }

  /** Replaces the rates; what callers have used up stays used up. */
  setRates(rates: Rates): void {
    this.#rates = rates;
  }

  /**
   * Takes `count` tokens of the caller's bucket, all or none.
   *
   * @throws {StatusError} RESOURCE_EXHAUSTED, reason "rate_limited", with google.rpc.RetryInfo; reason "batch_too_large" when
   *   the bucket could never hold so many
   */
  take(callerKey: string, limit: LimitClass, count = 1): void {
    const rate = this.#rates[limit];
    if (count > rate.burst) throw tooLarge(limit, rate, count);
    const waitMs = this.#buckets.take(`${limit} ${callerKey}`, rate, count);
    if (waitMs > 0) throw rateLimited(limit, rate.perSecond, waitMs);
  }
}

function tooLarge(limit: LimitClass, rate: Rate, count: number): StatusError {
  return resourceExhausted(
    `a batch of ${count} is larger than the limit for ${limit}, ${rate.burst} at once`,
    { reason: "batch_too_large" },
  );
}
