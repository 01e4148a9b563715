import type { Clock } from "./clock.ts";

/** How often somebody may do something: a token bucket. */
export interface Rate {
  /** How many tokens a second the bucket gains. */
  readonly perSecond: number;
  /** How many it holds at most, and at first. */
  readonly burst: number;
}

/** Buckets that are kept; beyond that, full ones are dropped, which nobody can tell from new ones. */
const MAX_BUCKETS = 50_000;

interface Bucket {
  rate: Rate;
  tokens: number;
  filledAtMs: number;
}

/** Token buckets by key. Work and memory per call are constant. */
export class TokenBuckets {
  readonly #clock: Pick<Clock, "monotonicMs">;
  readonly #buckets = new Map<string, Bucket>();

  constructor(clock: Pick<Clock, "monotonicMs">) {
    this.#clock = clock;
  }

  /**
   * Takes `count` tokens of a key's bucket, all or none. A rate that has changed counts from now on; what is used up stays used up.
   *
   * @param count at most `rate.burst`
   * @returns 0 when they were taken, otherwise the milliseconds until they can be
   */
  take(key: string, rate: Rate, count = 1): number {
    const bucket = this.#bucketOf(key, rate);
    if (bucket.tokens < count) {
      return Math.ceil(((count - bucket.tokens) / rate.perSecond) * 1000);
    }
    bucket.tokens -= count;
    return 0;
  }

  #bucketOf(key: string, rate: Rate): Bucket {
    const nowMs = this.#clock.monotonicMs();
    const found = this.#buckets.get(key);
    if (found !== undefined) {
      found.rate = rate;
      refill(found, nowMs);
      return found;
    }
    if (this.#buckets.size >= MAX_BUCKETS) this.#dropIdle(nowMs);
    const bucket = { rate, tokens: rate.burst, filledAtMs: nowMs };
    this.#buckets.set(key, bucket);
    return bucket;
  }

  // Oldest first. Drops a tenth whether full or not: under a flood of new callers, memory counts more than exactness.
  #dropIdle(nowMs: number): void {
    let excess = MAX_BUCKETS / 10;
    for (const [key, bucket] of this.#buckets) {
      refill(bucket, nowMs);
      if (bucket.tokens === bucket.rate.burst || excess > 0) {
        this.#buckets.delete(key);
        excess -= 1;
      }
    }
  }
}

function refill(bucket: Bucket, nowMs: number): void {
  const { perSecond, burst } = bucket.rate;
  const gained = ((nowMs - bucket.filledAtMs) / 1000) * perSecond;
  bucket.tokens = Math.min(burst, bucket.tokens + gained);
  bucket.filledAtMs = nowMs;
}
