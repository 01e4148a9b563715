import type { Logger } from "../runtime/log.ts";
import type { Random } from "../runtime/random.ts";
import { Backoff } from "../runtime/time/backoff.ts";
import type { Clock } from "../runtime/time/clock.ts";
import type { TrustBundleSettings } from "./config/node-settings.ts";
import type { TrustStore } from "./identity/trust-store.ts";
import { bootstrapBundle } from "./state/bootstrap-bundle.ts";

export interface BootstrapTrustDeps {
  readonly settings: TrustBundleSettings;
  readonly trust: TrustStore;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
}

const FIRST_RETRY_MS = 500;
const MAX_RETRY_MS = 30_000;

/**
 * Gets what the first server is verified with, for as long as it takes: a file may come later, an address may be out of reach.
 * Does nothing for an agent that has a bundle already.
 */
export async function bootstrapTrust(deps: BootstrapTrustDeps, signal: AbortSignal): Promise<void> {
  const { settings, trust, clock, random, log } = deps;
  const backoff = new Backoff({ baseMs: FIRST_RETRY_MS, maxMs: MAX_RETRY_MS, random });
  while (!trust.isKnown && !signal.aborted) {
    try {
      const bundle = await bootstrapBundle(settings, trust.trustDomain, signal);
      if (bundle === undefined) {
        log.warn("Trusting the first server unseen, as trustBundle.insecure says");
        trust.trustUnseen();
        return;
      }
      trust.begin(bundle);
    } catch (err) {
      if (signal.aborted) return;
      const ms = backoff.nextMs();
      log.error({ err, retry_in_ms: ms }, "Trust bundle for the first server cannot be had");
      await clock.sleep(ms, signal);
    }
  }
}
