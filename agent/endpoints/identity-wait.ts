/**
 * How long a caller without an identity is held before it is refused. A refusal sends common clients
 * into a back-off of seconds; a process that starts beside its own entry would lose that time for
 * nothing.
 */
export interface IdentityWaitInput {
  /** The setting `waitForIdentity`, in milliseconds; 0 refuses at once. */
  readonly waitMs: number;
  /** Age of the caller's process in milliseconds. */
  readonly processAgeMs: number;
  /** Whether the agent knows of a server revision that it has not applied. */
  readonly isBehind: boolean;
  /** Whether an attestor's transient failure leaves an entry undecided for this caller. */
  readonly isUndecided: boolean;
  /** What is left of the call's deadline in milliseconds, if it has one. */
  readonly deadlineMs?: number;
}

const youngProcessMs = 10_000;
const deadlineShare = 0.8;

/** @returns milliseconds; 0 means to refuse at once */
export function identityWaitMs(input: IdentityWaitInput): number {
  const mayChange = input.processAgeMs < youngProcessMs || input.isBehind || input.isUndecided;
  if (!mayChange) return 0;
  return Math.max(0, Math.min(input.waitMs, (input.deadlineMs ?? Infinity) * deadlineShare));
}
