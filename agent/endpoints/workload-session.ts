/**
 * The part that every Workload API call shares: find out who the caller is, and turn each way this can fail into the status that the standard names.
 */
import { selectorSetDigest } from "../../proto/selector.ts";
import { type StatusError, unavailable } from "../../runtime/errors/status-error.ts";
import { NarrowedSignal } from "../../runtime/narrowed-signal.ts";
import type { CallContext } from "../../runtime/rpc/call-context.ts";
import type { Clock } from "../../runtime/time/clock.ts";
import type { ViewStatus, WorkloadView, WorkloadViews } from "../cache/workload-view.ts";
import { type AttestedCaller, CallerGoneError } from "../workload-attestation/attest.ts";
import type { Undecided } from "../workload-attestation/workload-attestor.ts";
import type { FollowedWorkload } from "./answers.ts";
import { identityWaitMs } from "./identity-wait.ts";
import type { Refusal, RefusalReason, Refusals } from "./refusals.ts";
import type { WorkloadCounters } from "./workload-counters.ts";
import type { WorkloadPeer } from "./workload-peer.ts";

export interface WorkloadSessionDeps {
  readonly views: WorkloadViews;
  readonly attest: (peer: WorkloadPeer, signal: AbortSignal) => Promise<AttestedCaller>;
  /** Whether the process that connected still runs. */
  readonly isPresent: (peer: WorkloadPeer) => boolean;
  readonly refusals: Refusals;
  readonly counters?: Pick<WorkloadCounters, "held">;
  readonly clock: Clock;
  /** The setting `waitForIdentity` in milliseconds. */
  readonly waitForIdentityMs: number;
}

/** A call as far as a session looks at it. */
export interface SessionCall extends Pick<CallContext<WorkloadPeer>, "signal" | "deadlineMs"> {
  /** The process that is meant: who calls, or whom the caller acts for. */
  readonly caller: WorkloadPeer;
  /** SPIFFE ID of who calls for it. */
  readonly delegateId?: string;
  /** What the call ends with when the process has ended; UNAVAILABLE unless given. */
  readonly goneError?: (cause?: unknown) => StatusError;
}

/** How long to wait before a caller is attested again while an attestor has a transient failure. */
const reattestMs = 100;
/** The same for a caller that has an answer already. */
const reattestOpenMs = 1_000;

/** One call of an attested workload. */
export class WorkloadSession implements FollowedWorkload<AttestedCaller> {
  readonly #deps: WorkloadSessionDeps;
  readonly #call: SessionCall;
  #caller: AttestedCaller;
  /** The kinds of selectors that were asked for when the caller was attested. */
  #selectorKinds: number;

  private constructor(
    deps: WorkloadSessionDeps,
    call: SessionCall,
    caller: AttestedCaller,
    selectorKinds: number,
  ) {
    this.#deps = deps;
    this.#call = call;
    this.#caller = caller;
    this.#selectorKinds = selectorKinds;
  }

  /** @throws {StatusError} UNAVAILABLE when the caller cannot be attested */
  static async open(deps: WorkloadSessionDeps, call: SessionCall): Promise<WorkloadSession> {
    const selectorKinds = deps.views.selectorKinds.value;
    return new WorkloadSession(deps, call, await attestFully(deps, call), selectorKinds);
  }

  get caller(): AttestedCaller {
    return this.#caller;
  }

  /**
   * Resolves with true once the caller turned out to have other selectors than before: its pod has other labels, or entries ask for
   * kinds of selectors that none asked for when it was attested, such as its program's digest. With false once `signal` aborts.
   * While an attestor fails the caller stays what it was.
   *
   * @throws {StatusError} UNAVAILABLE when the caller's process has ended
   */
  async selectorsChanged(signal: AbortSignal): Promise<boolean> {
    for (;;) {
      await this.#mayHaveChanged(signal);
      if (signal.aborted) return false;
      this.#selectorKinds = this.#deps.views.selectorKinds.value;
      const caller = await attestAgain(this.#deps, this.#call, signal);
      if (caller === undefined) return false;
      const isChanged =
        selectorSetDigest(caller.selectors) !== selectorSetDigest(this.#caller.selectors);
      this.#caller = caller;
      if (isChanged) return true;
    }
  }

  async #mayHaveChanged(signal: AbortSignal): Promise<void> {
    using waiting = new NarrowedSignal(signal);
    const kindsChanged = async (): Promise<void> => {
      for await (const kinds of this.#deps.views.selectorKinds.subscribe(waiting.signal)) {
        if (kinds !== this.#selectorKinds) return;
      }
    };
    const factsChanged = (this.#caller.changed ?? []).map((changed) => changed(waiting.signal));
    await Promise.race([kindsChanged(), ...factsChanged]).finally(() => waiting.end());
  }

  /**
   * Makes sure that what is sent now reaches the process that was attested, not whoever it left its connection to.
   *
   * @throws {StatusError} UNAVAILABLE when the process has ended
   */
  requirePresence(): void {
    if (this.#deps.isPresent(this.#call.caller)) return;
    refuse(this.#deps, this.#call, "caller_gone", { caller: this.#caller });
    throw (
      this.#call.goneError?.() ??
      unavailable("calling process has ended", { reason: "caller_gone" })
    );
  }

  /** How long this caller may be held while it has no identity. */
  waitMs(): number {
    const { views, waitForIdentityMs } = this.#deps;
    return identityWaitMs({
      waitMs: waitForIdentityMs,
      processAgeMs: this.#caller.facts.ageMs,
      isBehind: isBehind(views.status.value),
      isUndecided: false,
      ...(this.#call.deadlineMs !== undefined && { deadlineMs: this.#call.deadlineMs }),
    });
  }

  /** Notes for `assay why` that this caller was refused; the view says why, unless it is for another reason. */
  refused(view: WorkloadView, reason?: RefusalReason): void {
    const told = this.#caller.isForeign ? "foreign_pod_socket" : reason;
    const { status } = this.#deps.views;
    refuse(this.#deps, this.#call, told ?? reasonOf(view, status.value), { caller: this.#caller });
  }
}

/**
 * Attests until no entry of this node is undecided for the caller, so that a failing attestor never
 * makes a partial set of identities look like the whole.
 */
async function attestFully(deps: WorkloadSessionDeps, call: SessionCall): Promise<AttestedCaller> {
  const { clock, views } = deps;
  const startMs = clock.monotonicMs();
  // What is left now: later less is left, and the time that has passed would count twice.
  const { deadlineMs } = call;
  for (;;) {
    const caller = await attestOnce(deps, call);
    const open = openQuestions(views, caller);
    if (open.length === 0) return caller;
    const waitMs = identityWaitMs({
      waitMs: Math.max(deps.waitForIdentityMs, ...open.map(({ retry }) => retry?.waitMs ?? 0)),
      processAgeMs: caller.facts.ageMs,
      isBehind: false,
      isUndecided: true,
      ...(deadlineMs !== undefined && { deadlineMs }),
    });
    const leftMs = waitMs - (clock.monotonicMs() - startMs);
    const isBlind = open.some(({ retry }) => retry === undefined);
    if (call.signal.aborted || leftMs < (isBlind ? reattestMs : 1)) {
      refuse(deps, call, "attestor_failed", { caller });
      throw unavailable("workload attestation is incomplete", { reason: "attestor_failed" });
    }
    await untilWorthwhile(open, { clock, blindMs: reattestMs, limitMs: leftMs }, call.signal);
  }
}

/** The same for a caller that has an answer, for as long as it takes; undefined once `signal` aborts. */
async function attestAgain(
  deps: WorkloadSessionDeps,
  call: SessionCall,
  signal: AbortSignal,
): Promise<AttestedCaller | undefined> {
  for (;;) {
    const caller = await attestOnce(deps, call);
    if (signal.aborted) return undefined;
    const open = openQuestions(deps.views, caller);
    if (open.length === 0) return caller;
    const { clock } = deps;
    await untilWorthwhile(open, { clock, blindMs: reattestOpenMs, limitMs: Infinity }, signal);
    if (signal.aborted) return undefined;
  }
}

/** What is undecided of a caller for now, if any entry of this node hangs on it. */
function openQuestions(views: WorkloadViews, caller: AttestedCaller): readonly Undecided[] {
  const open = caller.undecided.filter((u) => u.transient);
  if (open.length === 0) return open;
  return views.couldGrant(caller, (s) => isUndecided(open, s)) ? open : [];
}

/** Waits until asking again may help: as long as the attestors say, or for `blindMs` where one cannot say. */
async function untilWorthwhile(
  open: readonly Undecided[],
  o: { readonly clock: Clock; readonly blindMs: number; readonly limitMs: number },
  signal: AbortSignal,
): Promise<void> {
  using waiting = new NarrowedSignal(signal);
  const isBlind = open.some(({ retry }) => retry === undefined);
  const pause = o.clock.sleep(isBlind ? Math.min(o.blindMs, o.limitMs) : o.limitMs, waiting.signal);
  const told = open.flatMap(({ retry }) => (retry === undefined ? [] : retry.when(waiting.signal)));
  await Promise.race([pause, ...told]).finally(() => waiting.end());
}

async function attestOnce(deps: WorkloadSessionDeps, call: SessionCall): Promise<AttestedCaller> {
  try {
    return await deps.attest(call.caller, call.signal);
  } catch (cause) {
    if (!(cause instanceof CallerGoneError)) throw cause;
    refuse(deps, call, "caller_gone", { cause });
    throw (
      call.goneError?.(cause) ??
      unavailable("workload attestation failed", { reason: "caller_gone" })
    );
  }
}

function isUndecided(
  undecided: readonly Undecided[],
  selector: { readonly type: string; readonly value: string },
): boolean {
  return undecided.some(
    ({ type, prefixes }) =>
      type === selector.type &&
      (prefixes.length === 0 || prefixes.some((prefix) => selector.value.startsWith(prefix))),
  );
}

function isBehind(status: ViewStatus): boolean {
  return status.revision < status.serverRevision;
}

function reasonOf(view: WorkloadView, status: ViewStatus): RefusalReason {
  if (view.serving !== "ready" || isBehind(status)) return "agent_behind";
  return view.entries.length === 0 ? "no_entry" : "issuance_refused";
}

function refuse(
  { refusals }: WorkloadSessionDeps,
  { caller: { credentials }, delegateId }: SessionCall,
  reason: RefusalReason,
  details: Pick<Refusal, "caller" | "cause">,
): void {
  const { pid, uid } = credentials;
  refusals.add({ reason, pid, uid, ...(delegateId !== undefined && { delegateId }), ...details });
}
