import { describeError } from "../../runtime/errors/describe.ts";
import { Feed, type ReadFeed } from "../../runtime/feed.ts";
import type { Logger } from "../../runtime/log.ts";
import type { Random } from "../../runtime/random.ts";
import { Backoff } from "../../runtime/time/backoff.ts";
import type { Clock } from "../../runtime/time/clock.ts";
import { renewalDelayMs, renewalInstant } from "../../runtime/time/due.ts";
import type { AcmeSettings } from "../config/acme-settings.ts";
import { CertificateStore, type ObtainedCertificate } from "./certificate-store.ts";
import { Challenges } from "./challenges.ts";
import type { OrderCertificate } from "./order-certificate.ts";

export interface AcmeCertificateDeps {
  readonly settings: AcmeSettings;
  readonly order: OrderCertificate;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
}

const RENEW_AT = 2 / 3;
const JITTER = 0.05;
/** ACME servers count failures: Let's Encrypt takes five an hour for a name. */
const RETRY = { baseMs: 60_000, maxMs: 3_600_000 };
/** An order that is not done by then has failed. */
const ORDER_MS = 5 * 60_000;

/** A certificate that is obtained by ACME, kept on disk, and renewed when two thirds of its life have passed. */
export class AcmeCertificate {
  /** To be answered with at the port that the certificate is for. */
  readonly challenges: Challenges = new Challenges();
  readonly #deps: AcmeCertificateDeps;
  readonly #store: CertificateStore;
  readonly #feed: Feed<ObtainedCertificate | undefined>;

  /** Orders nothing yet. @throws {Error} when the folder or the account's key cannot be used */
  static async open(deps: AcmeCertificateDeps): Promise<AcmeCertificate> {
    const store = await CertificateStore.open(deps.settings);
    let kept: ObtainedCertificate | undefined;
    try {
      kept = await store.read();
    } catch (err) {
      deps.log.warn({ reason: describeError(err) }, "Certificate of ACME could not be read");
    }
    return new AcmeCertificate(deps, store, kept);
  }

  private constructor(
    deps: AcmeCertificateDeps,
    store: CertificateStore,
    kept: ObtainedCertificate | undefined,
  ) {
    this.#deps = deps;
    this.#store = store;
    this.#feed = new Feed(kept);
  }

  /** The certificate in use, whether it still holds or not; undefined before the first. */
  get current(): ReadFeed<ObtainedCertificate | undefined> {
    return this.#feed;
  }

  /** Obtains and renews. Resolves once `signal` aborts. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock, random } = this.#deps;
    const backoff = new Backoff({ ...RETRY, random });
    while (!signal.aborted) {
      await clock.sleep(this.#dueMs(), signal);
      while (!signal.aborted && !(await this.#renew(signal))) {
        await clock.sleep(backoff.nextMs(), signal);
      }
      backoff.reset();
    }
  }

  /** Drawn once for each certificate. */
  #dueMs(): number {
    const { clock, random } = this.#deps;
    const { value } = this.#feed;
    const now = clock.now();
    if (value === undefined || value.notAfter <= now) return 0;
    const renewAt = renewalInstant({ ...value, fraction: RENEW_AT, jitter: JITTER, random });
    return renewalDelayMs({ ...value, renewAt, now });
  }

  async #renew(signal: AbortSignal): Promise<boolean> {
    const { order, settings, log } = this.#deps;
    const { accountKey } = this.#store;
    const { challenges } = this;
    const { domain } = settings;
    try {
      const limit = AbortSignal.any([signal, AbortSignal.timeout(ORDER_MS)]);
      const obtained = await this.#store.write(await order({ accountKey, challenges }, limit));
      this.#feed.set(obtained);
      log.info({ domain, not_after: obtained.notAfter.toISOString() }, "Certificate obtained");
      return true;
    } catch (err) {
      if (signal.aborted) return false;
      log.warn(
        { domain, reason: describeError(err) },
        "Certificate could not be obtained, the one in use stays",
      );
      return false;
    }
  }
}
