import type { RefusalReason } from "./refusals.ts";

/** Told what happens to calls of workloads; see agent-metrics.ts. */
export interface WorkloadCounters {
  /** A call was refused. */
  readonly refused: (reason: RefusalReason) => void;
  /** A caller without identity was held (`waitForIdentity`), and is served now or not. */
  readonly held: (isServed: boolean) => void;
  /** A proxy could not use what it was sent. */
  readonly secretsRejected: () => void;
}

/** Counts nothing. */
export const NO_COUNTERS: WorkloadCounters = {
  refused: () => {},
  held: () => {},
  secretsRejected: () => {},
};
