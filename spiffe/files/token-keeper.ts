import type { Random } from "../../runtime/random.ts";
import { Backoff } from "../../runtime/time/backoff.ts";
import type { Clock } from "../../runtime/time/clock.ts";
import { renewalInstant } from "../../runtime/time/due.ts";
import type { SpiffeId } from "../id/spiffe-id.ts";
import type { JwtSvid } from "../svid/jwt-svid.ts";

export interface TokenKeeperDeps {
  /** Fetches a token for this audience. */
  readonly fetch: (
    audience: readonly string[],
    subject: SpiffeId,
    signal: AbortSignal,
  ) => Promise<JwtSvid>;
  readonly onProblem: (err: Error) => void;
  readonly clock: Clock;
  readonly random: Random;
}

/** Half of the life: a reader that holds the old token has the other half to read the new one. */
const RENEW_FRACTION = 0.5;
const RENEW_JITTER = 0.1;
const LEAST_PAUSE_MS = 1_000;
const FIRST_BACKOFF_MS = 250;
const MAX_BACKOFF_MS = 30_000;

/** Fetches one token again and again, each before the one before it ends. Resolves once `signal` aborts. */
export async function keepToken(
  { fetch, onProblem, clock, random }: TokenKeeperDeps,
  request: {
    readonly audience: readonly string[];
    readonly subject: SpiffeId;
    readonly onToken: (token: JwtSvid) => void;
  },
  signal: AbortSignal,
): Promise<void> {
  const backoff = new Backoff({ baseMs: FIRST_BACKOFF_MS, maxMs: MAX_BACKOFF_MS, random });
  while (!signal.aborted) {
    let pauseMs: number;
    try {
      const token = await fetch(request.audience, request.subject, signal);
      if (signal.aborted) return;
      request.onToken(token);
      backoff.reset();
      pauseMs = Math.max(LEAST_PAUSE_MS, untilRenewalMs(token, clock.now(), random));
    } catch (err) {
      if (signal.aborted) return;
      onProblem(err instanceof Error ? err : new Error("fetching a token failed"));
      pauseMs = backoff.nextMs();
    }
    await clock.sleep(pauseMs, signal);
  }
}

function untilRenewalMs({ expiresAt }: JwtSvid, now: Date, random: Random): number {
  const due = renewalInstant({
    notBefore: now,
    notAfter: expiresAt,
    fraction: RENEW_FRACTION,
    jitter: RENEW_JITTER,
    random,
  });
  return due.getTime() - now.getTime();
}
