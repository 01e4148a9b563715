import {
  Counter,
  collectDefaultMetrics,
  Gauge,
  Histogram,
  type OpenMetricsContentType,
  type PrometheusContentType,
  Registry,
} from "prom-client";

export type { Counter, Gauge, Histogram } from "prom-client";

/** Bucket borders in seconds for durations from half a millisecond to ten seconds. */
export const DURATION_BUCKETS: readonly number[] = [
  0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10,
];

/**
 * The metrics of one process, in Prometheus' text form. Each folder declares its own in a `metrics.ts` beside its code. A name
 * begins with "assay_" and ends with its unit, a counter's with "_total"; labels have few values and never an ID.
 */
export class Metrics {
  readonly #registry = new Registry();

  /** @throws {TypeError} for a name that breaks the rules above, {@link Error} for one that is taken */
  counter<L extends string = never>(
    name: `assay_${string}_total`,
    help: string,
    labelNames: readonly L[] = [],
  ): Counter<L> {
    checkName(name);
    return new Counter({ name, help, labelNames, registers: [this.#registry] });
  }

  /** @param collect called before each reading, to set a value that nobody keeps up to date */
  gauge<L extends string = never>(
    name: `assay_${string}`,
    help: string,
    labelNames: readonly L[] = [],
    collect?: (gauge: Gauge<L>) => void | Promise<void>,
  ): Gauge<L> {
    checkName(name);
    const gauge: Gauge<L> = new Gauge({
      name,
      help,
      labelNames,
      registers: [this.#registry],
      ...(collect === undefined ? {} : { collect: () => collect(gauge) }),
    });
    return gauge;
  }

  /** @param buckets upper borders in the metric's unit, rising */
  histogram<L extends string = never>(
    name: `assay_${string}_seconds` | `assay_${string}_bytes` | `assay_${string}_count`,
    help: string,
    labelNames: readonly L[] = [],
    buckets: readonly number[] = DURATION_BUCKETS,
  ): Histogram<L> {
    checkName(name);
    const registers = [this.#registry];
    return new Histogram({ name, help, labelNames, buckets: [...buckets], registers });
  }

  /** Adds what every process has: processor time, memory, descriptors, garbage collection, lag of the event loop. */
  addProcess(): void {
    collectDefaultMetrics({ register: this.#registry, eventLoopMonitoringPrecision: 100 });
  }

  /** What {@link text} is written in, as an HTTP content type. */
  get contentType(): PrometheusContentType | OpenMetricsContentType {
    return this.#registry.contentType;
  }

  /** All metrics at this moment. */
  text(): Promise<string> {
    return this.#registry.metrics();
  }
}

function checkName(name: string): void {
  if (!/^assay_[a-z][a-z0-9]*(_[a-z0-9]+)*$/.test(name)) {
    throw new TypeError(`metric name ${JSON.stringify(name)} is not in snake_case`);
  }
}
