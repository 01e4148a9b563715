import { describeError } from "./errors/describe.ts";
import type { Logger } from "./log.ts";
import type { Metrics } from "./metrics.ts";
import type { Clock } from "./time/clock.ts";

/** A check that has not answered by then has failed. */
const TIME_LIMIT_MS = 2_000;

/** How a part is. `degraded` parts do their work with something missing, and must not take the process out of service. */
export type HealthState = "ok" | "degraded" | "failed";

/** What a check found. */
export interface CheckResult {
  readonly state: HealthState;
  /** What is wrong, for operators; no secrets, because everybody who may ask can read it. */
  readonly detail?: string;
}

/** The worst state of all checks, and each by its name. */
export interface HealthReport {
  readonly state: HealthState;
  readonly checks: Readonly<Record<string, CheckResult>>;
}

/** A look at one part. Answers quickly, changes nothing, and never uses a key. */
export type Check = () => Promise<CheckResult> | CheckResult;

const WEIGHT: Readonly<Record<HealthState, number>> = { ok: 0, degraded: 1, failed: 2 };

/**
 * The state of a process from named checks, one for each part that can fail. Live means that it need not be restarted; ready,
 * that it can serve. A part that only waits for another (a database, a server) makes it degraded or not ready, never dead:
 * restarting would not help, and would lose what works.
 */
export class Health {
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #checks = new Map<string, { check: Check; vital: boolean }>();
  readonly #lastStates = new Map<string, HealthState>();

  constructor(deps: { clock: Clock; log: Logger }) {
    this.#clock = deps.clock;
    this.#log = deps.log;
  }

  /**
   * Adds a check under a name that is unique in the process and ends up in a metric's label.
   *
   * @param options.vital whether its failure can be cured only by a restart, so that it counts for {@link live} as well
   * @throws {Error} if the name is taken
   */
  add(name: string, check: Check, options: { readonly vital?: boolean } = {}): void {
    if (this.#checks.has(name)) throw new Error(`health check ${name} exists`);
    this.#checks.set(name, { check, vital: options.vital ?? false });
  }

  /** The vital checks alone. */
  live(): Promise<HealthReport> {
    return this.#report(({ vital }) => vital);
  }

  /** All checks. Changes since the last time are logged. */
  ready(): Promise<HealthReport> {
    return this.#report(() => true);
  }

  /** Adds a gauge with the state of each check: 0 ok, 1 degraded, 2 failed. */
  addTo(metrics: Metrics, name: `assay_${string}`): void {
    const help = "State of each part: 0 ok, 1 degraded, 2 failed.";
    metrics.gauge(name, help, ["check"], async (gauge) => {
      const { checks } = await this.ready();
      for (const [check, { state }] of Object.entries(checks)) gauge.set({ check }, WEIGHT[state]);
    });
  }

  async #report(counts: (registered: { vital: boolean }) => boolean): Promise<HealthReport> {
    const asked = [...this.#checks].filter(([, registered]) => counts(registered));
    const results = await Promise.all(
      asked.map(async ([name, { check }]) => [name, await this.#run(check)] as const),
    );
    for (const [name, result] of results) this.#note(name, result);
    const state = results
      .map(([, result]) => result.state)
      .reduce<HealthState>((worst, next) => (WEIGHT[next] > WEIGHT[worst] ? next : worst), "ok");
    return { state, checks: Object.fromEntries(results) };
  }

  async #run(check: Check): Promise<CheckResult> {
    const answered = new AbortController();
    const late = this.#clock.sleep(TIME_LIMIT_MS, answered.signal);
    try {
      const lateResult: CheckResult = { state: "failed", detail: "check does not answer" };
      return await Promise.race([check(), late.then(() => lateResult)]);
    } catch (err) {
      return { state: "failed", detail: describeError(err) };
    } finally {
      answered.abort();
    }
  }

  #note(name: string, { state, detail }: CheckResult): void {
    const before = this.#lastStates.get(name) ?? "ok";
    this.#lastStates.set(name, state);
    if (state === before) return;
    if (state === "ok") this.#log.info({ check: name }, "Health check recovered");
    else this.#log.warn({ check: name, state, detail }, "Health check changed for the worse");
  }
}
