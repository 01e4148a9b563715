import { formatMs, type Latencies } from "../../bench/latencies.ts";

/** One row of the table. */
export interface Figure {
  readonly name: string;
  /** How many times it was measured. */
  readonly count?: number;
  readonly p50?: string;
  readonly p90?: string;
  readonly p99?: string;
  readonly max?: string;
  /** Calls that were refused or broke off before the answer that was waited for, all together. */
  readonly refused?: number;
  /** How many were still waiting when we gave up. */
  readonly lost?: number;
}

/** What belongs to a figure that is a time. */
export interface LatencyNotes {
  readonly refused?: number;
  readonly lost?: number;
}

/** The figure of times in milliseconds. */
export function latencyFigure(name: string, times: Latencies, notes: LatencyNotes = {}): Figure {
  const at = (share: number): string =>
    times.count === 0 ? "" : formatMs(times.quantile(share)).replace("0.00 ms", "0 ms");
  return {
    name,
    count: times.count,
    p50: at(0.5),
    p90: at(0.9),
    p99: at(0.99),
    max: at(1),
    ...notes,
  };
}
