/**
 * What a workload attestor promises. An attestor turns the process that the kernel vouches for into
 * selectors. It never asks the process itself for anything, and it says what it could not find out:
 * a partial set of selectors must never pass for the whole.
 */
import type { Selector } from "../../proto/selector.ts";
import type { InstanceFacts } from "../cache/instance.ts";
import type { ProcessFacts } from "./process-facts.ts";

/** A calling process, and how it called. */
export interface Caller extends ProcessFacts {
  /** UID of the pod whose own socket it called on, in the word of the socket's holder. */
  readonly socketPod?: string;
}

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
  /** How to wait for what is missing; without it asking again every now and then has to do. */
  readonly retry?: Retry;
}

/** How long something that is undecided is worth waiting for, and until when. */
export interface Retry {
  /** Milliseconds for which a caller may be held for its sake. */
  readonly waitMs: number;
  /** Resolves when attesting the caller again may decide it, or once `signal` aborts. */
  readonly when: (signal: AbortSignal) => Promise<void>;
}

/** What one attestor, or all of them together, found out about a caller. */
export interface Findings {
  readonly selectors: readonly Selector[];
  readonly undecided: readonly Undecided[];
  /** What else was found out about where the caller runs. */
  readonly instance?: Pick<InstanceFacts, "podUid" | "containerId">;
  /**
   * Whether the process that called is not the workload but hands its call on, as the sandbox of a pod does: then what the kernel
   * says of the process says nothing of the workload.
   */
  readonly isRelayed?: boolean;
  /**
   * Resolves when attesting the caller again may find other selectors than these, or once `signal` aborts. Until then the attestor
   * keeps an eye on it. Absent when what was found holds for as long as the process runs.
   */
  readonly changed?: (signal: AbortSignal) => Promise<void>;
}

export interface WorkloadAttestor {
  /** The selector type that it answers for. */
  readonly type: string;
  /** Rejects only for reasons of its own; the caller then counts the whole type as undecided. */
  attest(caller: Caller, signal: AbortSignal): Promise<Findings>;
}
