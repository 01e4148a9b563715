/**
 * The newest refusals, kept for `assay why --recent`. The workload itself hears no more than "no
 * identity issued" (decision D10).
 */
import type { Clock } from "../../runtime/time/clock.ts";
import { RepeatFilter } from "../audit/repeat-filter.ts";
import type { AttestedCaller } from "../workload-attestation/attest.ts";

/** Why a caller got nothing, in the words of `assay why`. */
export type RefusalReason =
  | "no_entry"
  | "attestor_failed"
  | "agent_behind"
  | "issuance_refused"
  | "caller_gone"
  | "caller_limit"
  | "secret_not_granted"
  | "process_gone"
  | "not_delegate"
  | "not_broker"
  | "not_administrator"
  | "foreign_pod_socket";

export interface Refusal {
  readonly at: Date;
  readonly reason: RefusalReason;
  readonly pid: number;
  readonly uid: number;
  /** Absent when the caller could not be attested at all. */
  readonly caller?: Pick<AttestedCaller, "selectors" | "undecided" | "executable">;
  /** SPIFFE ID of who asked, where that was somebody else: a delegate or a broker. */
  readonly delegateId?: string;
  /** What went wrong, where something did. */
  readonly cause?: unknown;
}

const maxKept = 256;

/** Told of refusals that are to be on record, with how many like it were not told of before. */
export type OnRefused = (refusal: Refusal, suppressed: number) => void;

/** A bounded list: a caller that is refused in a loop costs no memory, and is told of once a minute. */
export class Refusals {
  readonly #clock: Clock;
  readonly #onRefused: OnRefused;
  readonly #onCounted: (reason: RefusalReason) => void;
  readonly #filter: RepeatFilter;
  readonly #kept: Refusal[] = [];
  #total = 0;

  /** @param onCounted told of every one, for the metrics */
  constructor(
    clock: Clock,
    onRefused: OnRefused = () => {},
    onCounted: (reason: RefusalReason) => void = () => {},
  ) {
    this.#clock = clock;
    this.#onRefused = onRefused;
    this.#onCounted = onCounted;
    this.#filter = new RepeatFilter(clock);
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
    const { reason, uid, caller, delegateId } = refusal;
    this.#onCounted(reason);
    const kind = JSON.stringify([reason, uid, caller?.executable, delegateId]);
    const suppressed = this.#filter.admit(kind);
    if (suppressed !== undefined) this.#onRefused(added, suppressed);
  }

  /** Latest first. */
  latest(limit: number = maxKept): readonly Refusal[] {
    return this.#kept.slice(-limit).reverse();
  }
}
