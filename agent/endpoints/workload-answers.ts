import type { CallContext } from "../../runtime/rpc/call-context.ts";
import type { Subscription, WorkloadView } from "../cache/workload-view.ts";
import type { AttestedCaller } from "../workload-attestation/attest.ts";
import { answers } from "./answers.ts";
import { entitledViews } from "./entitlement.ts";
import type { WorkloadPeer } from "./workload-peer.ts";
import { WorkloadSession, type WorkloadSessionDeps } from "./workload-session.ts";

/** What a streaming call of a workload is answered with. */
export interface WorkloadAnswer<T> {
  readonly open: (caller: AttestedCaller) => Subscription;
  /** Whether a view has what the call asks for. */
  readonly isAnswer: (view: WorkloadView) => boolean;
  readonly messageOf: (view: WorkloadView) => T;
}

/** Attests the caller, then answers with all that it may have now, and again whenever that changes. */
export async function* workloadAnswers<T>(
  deps: WorkloadSessionDeps,
  call: CallContext<WorkloadPeer>,
  { open, isAnswer, messageOf }: WorkloadAnswer<T>,
): AsyncGenerator<T> {
  const session = await WorkloadSession.open(deps, call);
  yield* answers({
    workload: session,
    signal: call.signal,
    open,
    views: (subscription, signal) => viewsOf(deps, session, subscription, { isAnswer, signal }),
    messageOf,
  });
}

/** The views of a subscription that the caller may have. */
export function viewsOf(
  deps: WorkloadSessionDeps,
  session: WorkloadSession,
  subscription: Subscription,
  o: { readonly isAnswer: (view: WorkloadView) => boolean; readonly signal: AbortSignal },
): AsyncGenerator<WorkloadView> {
  return entitledViews(
    {
      feed: subscription.feed,
      clock: deps.clock,
      waitMs: () => session.waitMs(),
      isAnswer: o.isAnswer,
      onRefused: (view) => session.refused(view),
      onHeld: (isServed) => deps.counters?.held(isServed),
    },
    o.signal,
  );
}

/** Bundles are there as soon as the own one is. */
export function hasBundle(view: WorkloadView): boolean {
  return view.bundle !== undefined;
}
