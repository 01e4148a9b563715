import type { Selector } from "../../../proto/selector.ts";
import type { StatusError } from "../../../runtime/errors/status-error.ts";
import type { Subscription, WorkloadCaller, WorkloadView } from "../../cache/workload-view.ts";
import { CallerGoneError } from "../../workload-attestation/attest.ts";
import { answers, type FollowedWorkload } from "../answers.ts";
import { entitledViews } from "../entitlement.ts";
import { WorkloadSession, type WorkloadSessionDeps } from "../workload-session.ts";
import { type ActingDelegate, callerForProcess, callerForSelectors } from "./acting-delegate.ts";
import { ReferencedProcess } from "./referenced-process.ts";
import type { WorkloadReference } from "./workload-reference.ts";

/** How an API says that a workload gets nothing. */
export interface DelegationErrors {
  /** There is no such process, or no more. */
  readonly gone: (cause?: unknown) => StatusError;
  /** Why a view is no answer whatever was asked, or undefined. */
  readonly refusalOf: (view: WorkloadView) => StatusError | undefined;
}

/** A workload that a delegate acts for. */
export interface DelegatedWorkload extends FollowedWorkload, Disposable {
  /** Aborts when the call is over, the delegate may act no longer, or the workload has gone; the reason is a StatusError. */
  readonly over: AbortSignal;
  waitMs(): number;
  /** Notes for `assay why` that nothing was given out. */
  refused(view: WorkloadView): void;
}

/**
 * Finds whom a delegate acts for. A process is attested as if it had called itself.
 *
 * @throws {StatusError} what `errors.gone` says; UNAVAILABLE when the process cannot be attested
 */
export async function openWorkload(
  deps: WorkloadSessionDeps,
  delegate: ActingDelegate,
  reference: WorkloadReference,
  errors: DelegationErrors,
): Promise<DelegatedWorkload> {
  return reference.kind === "selectors"
    ? anyWith(deps, delegate, reference.selectors)
    : openProcess(deps, delegate, reference.pid, errors);
}

/**
 * Answers a call about a workload, view by view.
 *
 * @throws {StatusError} what ended it, unless the caller did
 */
export async function* delegatedAnswers<T>(
  deps: WorkloadSessionDeps,
  workload: DelegatedWorkload,
  o: {
    readonly open: (caller: WorkloadCaller) => Subscription;
    readonly errors: DelegationErrors;
    readonly isAnswer: (view: WorkloadView) => boolean;
    readonly messageOf: (view: WorkloadView) => T;
  },
): AsyncGenerator<T> {
  const { over } = workload;
  yield* answers({
    workload,
    signal: over,
    open: o.open,
    views: (subscription, signal) =>
      entitledViews(
        {
          feed: subscription.feed,
          clock: deps.clock,
          waitMs: () => workload.waitMs(),
          isAnswer: o.isAnswer,
          onRefused: (view) => workload.refused(view),
          onHeld: (isServed) => deps.counters?.held(isServed),
          refusalOf: o.errors.refusalOf,
        },
        signal,
      ),
    messageOf: o.messageOf,
  });
  throw over.reason;
}

async function openProcess(
  deps: WorkloadSessionDeps,
  delegate: ActingDelegate,
  pid: number,
  { gone }: DelegationErrors,
): Promise<DelegatedWorkload> {
  const { call, who } = delegate;
  using opening = new DisposableStack();
  const process = opening.use(orGone(() => ReferencedProcess.open(pid), deps, delegate, pid, gone));
  const ended = new AbortController();
  const over = AbortSignal.any([delegate.over, ended.signal]);
  const session = await WorkloadSession.open(deps, {
    caller: process.peer,
    signal: over,
    delegateId: who.id,
    goneError: gone,
    get deadlineMs() {
      return call.deadlineMs;
    },
  });
  const closed = new AbortController();
  opening.defer(() => closed.abort());
  // Aborted without effect when it was the call that ended.
  void process
    .ended(deps.clock, AbortSignal.any([over, closed.signal]))
    .then(() => ended.abort(gone()));
  const opened = opening.move();
  return {
    over,
    get caller() {
      return callerForProcess(delegate, session.caller);
    },
    selectorsChanged: (signal) => session.selectorsChanged(signal),
    requirePresence: () => {
      delegate.requirePresence();
      session.requirePresence();
    },
    waitMs: () => session.waitMs(),
    refused: (view) => session.refused(view),
    [Symbol.dispose]: () => opened.dispose(),
  };
}

function orGone(
  open: () => ReferencedProcess,
  { refusals }: WorkloadSessionDeps,
  { call, who }: ActingDelegate,
  pid: number,
  gone: DelegationErrors["gone"],
): ReferencedProcess {
  try {
    return open();
  } catch (cause) {
    if (!(cause instanceof CallerGoneError)) throw cause;
    const { uid } = call.caller.credentials;
    refusals.add({ reason: "process_gone", pid, uid, delegateId: who.id, cause });
    throw gone(cause);
  }
}

function anyWith(
  { refusals }: WorkloadSessionDeps,
  delegate: ActingDelegate,
  selectors: readonly Selector[],
): DelegatedWorkload {
  const { call, over, who } = delegate;
  const caller = callerForSelectors(delegate, selectors);
  return {
    over,
    caller,
    // Nobody is attested, so nothing about it can change.
    selectorsChanged: (signal) => untilAborted(signal),
    requirePresence: () => delegate.requirePresence(),
    waitMs: () => 0,
    refused: () => {
      const { pid, uid } = call.caller.credentials;
      refusals.add({
        reason: "no_entry",
        pid,
        uid,
        delegateId: who.id,
        caller: { selectors, undecided: [] },
      });
    },
    [Symbol.dispose]: () => {},
  };
}

function untilAborted(signal: AbortSignal): Promise<false> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve(false);
    else signal.addEventListener("abort", () => resolve(false), { once: true });
  });
}
