/**
 * The newest refusals, kept for `assay why --recent`. The workload itself hears no more than "no
 * identity issued" (decision D10).
 */
import type { Clock } from "../../runtime/time/clock.ts";
import type { AttestedCaller } from "../workload-attestation/attest.ts";

/** Why a caller got nothing, in the words of `assay why`. */
export type RefusalReason =
  | "no_entry"
  | "attestor_failed"
  | "agent_behind"
  | "issuance_refused"
  | "caller_gone"
  | "caller_limit";

export interface Refusal {
  readonly at: Date;
  readonly reason: RefusalReason;
  readonly pid: number;
  readonly uid: number;
  /** Absent when the caller could not be attested at all. */
  readonly caller?: AttestedCaller;
}

const maxKept = 256;

/** A bounded list: a caller that is refused in a loop costs no memory. */
export class Refusals {
  readonly #clock: Clock;
  readonly #onAdded: (refusal: Refusal) => void;
  readonly #kept: Refusal[] = [];
  #total = 0;

  /** @param onAdded told of each, for the audit */
  constructor(clock: Clock, onAdded: (refusal: Refusal) => void = () => {}) {
    this.#clock = clock;
    this.#onAdded = onAdded;
  }

  /** How many there ever were. */
  get total(): number {
    return this.#total;
  }

  add(refusal: Omit<Refusal, "at">): void {
    this.#total += 1;
    const added = { ...refusal, at: this.#clock.now() };
    this.#kept.push(added);
    if (this.#kept.length > maxKept) this.#kept.shift();
    this.#onAdded(added);
  }

  /** Latest first. */
  latest(limit: number = maxKept): readonly Refusal[] {
    return this.#kept.slice(-limit).reverse();
  }
}
