import { type Random, systemRandom } from "../../runtime/random.ts";
import { type Clock, systemClock } from "../../runtime/time/clock.ts";

/** What every source takes. */
export interface SourceOptions {
  /** The Workload API, for example "unix:///run/assay/agent/api.sock"; SPIFFE_ENDPOINT_SOCKET unless given. */
  readonly address?: string;
  /** Ends the wait for the first answer. It does not close a source that is open. */
  readonly signal?: AbortSignal;
  /** Told of each failure that is being tried again. */
  readonly onProblem?: (err: Error) => void;
  readonly clock?: Clock;
  readonly random?: Random;
  /** Where SPIFFE_ENDPOINT_SOCKET is looked up; the process's environment unless given. */
  readonly env?: Readonly<Record<string, string | undefined>>;
}

/** The options with everything filled in that has a default. */
export interface ResolvedSourceOptions {
  readonly address: string | undefined;
  readonly environmentValue: string | undefined;
  readonly signal: AbortSignal;
  readonly onProblem: (err: Error) => void;
  readonly clock: Clock;
  readonly random: Random;
}

export function resolveSourceOptions(options: SourceOptions): ResolvedSourceOptions {
  // biome-ignore lint/style/noProcessEnv: the standard names this variable as the fall-back (Workload Endpoint 4)
  const env = options.env ?? process.env;
  return {
    address: options.address,
    environmentValue: env["SPIFFE_ENDPOINT_SOCKET"],
    signal: options.signal ?? new AbortController().signal,
    onProblem: options.onProblem ?? (() => {}),
    clock: options.clock ?? systemClock,
    random: options.random ?? systemRandom,
  };
}
