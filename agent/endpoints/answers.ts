import { isDeepStrictEqual } from "node:util";
import { NarrowedSignal } from "../../runtime/narrowed-signal.ts";
import type { Subscription, WorkloadCaller, WorkloadView } from "../cache/workload-view.ts";

/** Whom a call is answered about. */
export interface FollowedWorkload<C extends WorkloadCaller = WorkloadCaller> {
  readonly caller: C;
  /** Resolves with true once `caller` has other selectors than before, with false once `signal` aborts. */
  selectorsChanged(signal: AbortSignal): Promise<boolean>;
  /** @throws {StatusError} when an answer that is sent now would not reach whom it is meant for */
  requirePresence(): void;
}

/** What the answers to one call are made of. */
export interface AnswersDeps<C extends WorkloadCaller, T> {
  readonly workload: FollowedWorkload<C>;
  readonly signal: AbortSignal;
  readonly open: (caller: C) => Subscription;
  /** Those views of a subscription that are answers. */
  readonly views: (subscription: Subscription, signal: AbortSignal) => AsyncGenerator<WorkloadView>;
  readonly messageOf: (view: WorkloadView) => T | Promise<T>;
}

/**
 * What one streaming call is answered, for as long as `views` allows it: a message with all of the present state, then another
 * whenever that changes. A workload that turns out to have other selectors is subscribed anew.
 */
export async function* answers<C extends WorkloadCaller, T>(
  o: AnswersDeps<C, T>,
): AsyncGenerator<T> {
  const { workload } = o;
  let last: T | undefined;
  for (let isOver = false; !isOver; ) {
    using subscription = o.open(workload.caller);
    using present = new NarrowedSignal(o.signal);
    const { signal } = present;
    const watching = workload.selectorsChanged(signal).finally(() => present.end());
    // A failure is thrown below, unless the call is over by then.
    watching.catch(() => {});
    try {
      for await (const view of o.views(subscription, signal)) {
        const message = await o.messageOf(view);
        workload.requirePresence();
        // A view may differ only in what this call does not tell.
        if (!isDeepStrictEqual(message, last)) yield message;
        last = message;
        // Control comes back here when the transport takes more: the message is on its way.
        subscription.delivered(view);
      }
    } finally {
      present.end();
    }
    isOver = !(await watching);
  }
}
