import { rateLimited } from "../../proto/convert/status.ts";
import { resourceExhausted, type StatusError } from "../../runtime/errors/status-error.ts";
import type { Clock } from "../../runtime/time/clock.ts";
import type { LimitClass, Rate, Rates } from "../config/limits.ts";

/** Callers whose buckets are kept; beyond that, full buckets are dropped, which nobody can tell from new ones. */
const MAX_BUCKETS = 50_000;

interface Bucket {
  tokens: number;
  filledAtMs: number;
}

/**
 * Token buckets, one for each caller and class of call. A caller that has used up its own gets RESOURCE_EXHAUSTED with the
 * time to wait; others do not notice. Work and memory per call are constant.
 */
export class RateLimiter {
  readonly #clock: Clock;
  #rates: Rates;
  readonly #buckets = new Map<string, Bucket>();

  constructor(deps: { readonly clock: Clock; readonly rates: Rates }) {
    this.#clock = deps.clock;
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
    const bucket = this.#bucketOf(`${limit} ${callerKey}`, rate);
    if (bucket.tokens < count) throw exhausted(limit, rate, count - bucket.tokens);
    bucket.tokens -= count;
  }

  #bucketOf(key: string, rate: Rate): Bucket {
    const nowMs = this.#clock.monotonicMs();
    const found = this.#buckets.get(key);
    if (found !== undefined) {
      refill(found, rate, nowMs);
      return found;
    }
    if (this.#buckets.size >= MAX_BUCKETS) this.#dropIdle(nowMs);
    const bucket = { tokens: rate.burst, filledAtMs: nowMs };
    this.#buckets.set(key, bucket);
    return bucket;
  }

  // Oldest first. Drops a tenth whether full or not: under a flood of new callers, memory counts more than exactness.
  #dropIdle(nowMs: number): void {
    let excess = MAX_BUCKETS / 10;
    for (const [key, bucket] of this.#buckets) {
      const limit = key.slice(0, key.indexOf(" ")) as LimitClass;
      refill(bucket, this.#rates[limit], nowMs);
      if (bucket.tokens === this.#rates[limit].burst || excess > 0) {
        this.#buckets.delete(key);
        excess -= 1;
      }
    }
  }
}

function refill(bucket: Bucket, rate: Rate, nowMs: number): void {
  const gained = ((nowMs - bucket.filledAtMs) / 1000) * rate.perSecond;
  bucket.tokens = Math.min(rate.burst, bucket.tokens + gained);
  bucket.filledAtMs = nowMs;
}

function exhausted(limit: LimitClass, rate: Rate, missing: number): StatusError {
  const waitMs = Math.ceil((missing / rate.perSecond) * 1000);
  return rateLimited(
    `rate limit for ${limit} reached (${rate.perSecond} a second), try again in ${waitMs} ms`,
    waitMs,
  );
}

function tooLarge(limit: LimitClass, rate: Rate, count: number): StatusError {
  return resourceExhausted(
    `a batch of ${count} is larger than the limit for ${limit}, ${rate.burst} at once`,
    { reason: "batch_too_large" },
  );
}
