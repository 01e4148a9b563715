import type { Random } from "../../runtime/random.ts";
import { Backoff } from "../../runtime/time/backoff.ts";
import { DEFAULT_REFRESH_HINT_SECONDS } from "../../spiffe/bundle/bundle-document.ts";

/** A hint is a hint: a publisher can make us neither hammer it nor miss a revoked key for days (Trust Domain and Bundle 4.1.2). */
const MIN_SECONDS = 10;
const MAX_SECONDS = 3600;
/** Share of the interval by which a fetch may come early, so that servers which started together do not fetch together. */
const JITTER = 0.1;
/** After a start, fetches of bundles that are known already spread over this time. */
const SPREAD_MS = 10_000;
const FIRST_RETRY_MS = 1_000;

/** When the bundle of one trust domain is fetched. */
export class RefreshSchedule {
  readonly #random: Random;
  readonly #backoff: Backoff;

  constructor(random: Random) {
    this.#random = random;
    const maxMs = DEFAULT_REFRESH_HINT_SECONDS * 1000;
    this.#backoff = new Backoff({ baseMs: FIRST_RETRY_MS, maxMs, random });
  }

  /** Until the first fetch. */
  firstMs(isKnown: boolean): number {
    return isKnown ? this.#random.uniform() * SPREAD_MS : 0;
  }

  /** Until the next one after a success. @param hintSeconds of the bundle; 0 when it has none */
  nextMs(hintSeconds: number): number {
    this.#backoff.reset();
    const seconds = hintSeconds === 0 ? DEFAULT_REFRESH_HINT_SECONDS : hintSeconds;
    const bounded = Math.min(Math.max(seconds, MIN_SECONDS), MAX_SECONDS);
    return bounded * 1000 * (1 - JITTER * this.#random.uniform());
  }

  /**
   * Until the next one after a failure: the usual interval, since what is known still serves and an endpoint in trouble needs no more
   * of it (Federation 6.2). Where nothing is known yet, sooner at first.
   */
  retryMs(hintSeconds: number, isKnown: boolean): number {
    return isKnown ? this.nextMs(hintSeconds) : this.#backoff.nextMs();
  }
}
