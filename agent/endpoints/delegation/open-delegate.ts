import { permissionDenied } from "../../../runtime/errors/status-error.ts";
import type { CallContext } from "../../../runtime/rpc/call-context.ts";
import type { WorkloadView } from "../../cache/workload-view.ts";
import { answers } from "../answers.ts";
import { entitledViews } from "../entitlement.ts";
import type { WorkloadPeer } from "../workload-peer.ts";
import { WorkloadSession, type WorkloadSessionDeps } from "../workload-session.ts";
import { type ActingDelegate, describeDelegate } from "./acting-delegate.ts";

export interface DelegatesDeps extends WorkloadSessionDeps {
  /** SPIFFE IDs of those who may act for workloads. */
  readonly delegates: ReadonlySet<string>;
}

/**
 * Finds out whether a caller is a delegate: it is attested as a workload, and one of its identities has to be a delegate's. A
 * delegate that loses that identity during the call may act no longer.
 *
 * @throws {StatusError} PERMISSION_DENIED when it is none; UNAVAILABLE when it cannot be attested
 */
export async function openDelegate(
  deps: DelegatesDeps,
  call: CallContext<WorkloadPeer>,
): Promise<ActingDelegate> {
  const session = await WorkloadSession.open(deps, call);
  const lost = new AbortController();
  const over = AbortSignal.any([call.signal, lost.signal]);
  const ids = answers({
    workload: session,
    signal: over,
    open: (caller) => deps.views.openEntries(caller),
    views: ({ feed }, signal) =>
      entitledViews(
        {
          feed,
          clock: deps.clock,
          waitMs: () => session.waitMs(),
          isAnswer: () => true,
          onRefused: (view) => session.refused(view),
        },
        signal,
      ),
    messageOf: (view) => delegateIdOf(view, deps.delegates),
  });
  const { value: id = "" } = await ids.next();
  if (id === "") {
    lost.abort();
    throw refuse(deps, call, session);
  }
  const follow = async (): Promise<void> => {
    for await (const now of ids) if (now !== id) throw refuse(deps, call, session);
  };
  follow().catch((err: unknown) => lost.abort(err));
  return {
    ...describeDelegate(id, session.caller),
    call,
    over,
    requirePresence: () => session.requirePresence(),
    [Symbol.dispose]: () => lost.abort(),
  };
}

/** Empty when it is none. */
function delegateIdOf({ entries }: WorkloadView, delegates: ReadonlySet<string>): string {
  return entries.find(({ spiffeId }) => delegates.has(spiffeId))?.spiffeId ?? "";
}

function refuse(
  { refusals }: DelegatesDeps,
  call: CallContext<WorkloadPeer>,
  { caller }: WorkloadSession,
) {
  const { pid, uid } = call.caller.credentials;
  refusals.add({ reason: "not_delegate", pid, uid, caller });
  return permissionDenied("caller is not a delegate", { reason: "not_delegate" });
}
