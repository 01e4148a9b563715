/**
 * What a workload attestor promises. An attestor turns the process that the kernel vouches for into
 * selectors. It never asks the process itself for anything, and it says what it could not find out:
 * a partial set of selectors must never pass for the whole.
 */
import type { Selector } from "../../proto/selector.ts";
import type { ProcessFacts } from "./process-facts.ts";

/** A group of selectors that an attestor could not decide. */
export interface Undecided {
  /** The attestor, which is also the selector type, for example "unix". */
  readonly type: string;
  /** Prefixes of the values concerned, for example "sha256:"; empty means every value of the type. */
  readonly prefixes: readonly string[];
  /**
   * Whether asking again later may decide it. What never can be known (the path of a file in another
   * root) is treated as absent and only shown by `assay why`; what failed for now holds the answer
   * back for callers that an undecided entry could concern.
   */
  readonly transient: boolean;
  /** Why, for operators. */
  readonly reason: string;
}

/** What one attestor, or all of them together, found out about a caller. */
export interface Findings {
  readonly selectors: readonly Selector[];
  readonly undecided: readonly Undecided[];
}

export interface WorkloadAttestor {
  /** The selector type that it answers for. */
  readonly type: string;
  /** Rejects only for reasons of its own; the caller then counts the whole type as undecided. */
  attest(facts: ProcessFacts, signal: AbortSignal): Promise<Findings>;
}
