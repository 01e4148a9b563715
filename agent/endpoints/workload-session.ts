/**
 * The part that every Workload API call shares: count it against its caller, find out who the caller
 * is, and turn each way this can fail into the status that the standard names.
 */
import { unavailable } from "../../runtime/errors/status-error.ts";
import type { CallContext } from "../../runtime/rpc/call-context.ts";
import type { Clock } from "../../runtime/time/clock.ts";
import type { ViewStatus, WorkloadView, WorkloadViews } from "../cache/workload-view.ts";
import { type AttestedCaller, CallerGoneError } from "../workload-attestation/attest.ts";
import type { Undecided } from "../workload-attestation/workload-attestor.ts";
import type { CallerLimits } from "./caller-limits.ts";
import { identityWaitMs } from "./identity-wait.ts";
import type { RefusalReason, Refusals } from "./refusals.ts";
import type { WorkloadPeer } from "./workload-peer.ts";

export interface WorkloadSessionDeps {
  readonly views: WorkloadViews;
  readonly attest: (peer: WorkloadPeer, signal: AbortSignal) => Promise<AttestedCaller>;
  readonly limits: CallerLimits;
  readonly refusals: Refusals;
  readonly clock: Clock;
  /** The setting `waitForIdentity` in milliseconds. */
  readonly waitForIdentityMs: number;
}

type WorkloadCall = CallContext<WorkloadPeer>;

/** How long to wait before a caller is attested again while an attestor has a transient failure. */
const reattestMs = 100;

/** One call of an attested workload. Dispose of it when the call ends. */
export class WorkloadSession implements Disposable {
  readonly caller: AttestedCaller;
  readonly #deps: WorkloadSessionDeps;
  readonly #call: WorkloadCall;
  readonly #admission: Disposable;

  private constructor(
    deps: WorkloadSessionDeps,
    call: WorkloadCall,
    caller: AttestedCaller,
    admission: Disposable,
  ) {
    this.#deps = deps;
    this.#call = call;
    this.caller = caller;
    this.#admission = admission;
  }

  /** @throws {StatusError} UNAVAILABLE when the caller has too many calls or cannot be attested */
  static async open(
    deps: WorkloadSessionDeps,
    call: WorkloadCall,
    kind: "stream" | "call",
  ): Promise<WorkloadSession> {
    const admission = deps.limits[kind](call.caller.limitKey);
    if (!admission) {
      refuse(deps, call, "caller_limit");
      throw unavailable("too many calls from this caller", { reason: "caller_limit" });
    }
    try {
      const caller = await attestFully(deps, call);
      return new WorkloadSession(deps, call, caller, admission);
    } catch (err) {
      admission[Symbol.dispose]();
      throw err;
    }
  }

  [Symbol.dispose](): void {
    this.#admission[Symbol.dispose]();
  }

  /** How long this caller may be held while it has no identity. */
  waitMs(): number {
    const { views, waitForIdentityMs } = this.#deps;
    return identityWaitMs({
      waitMs: waitForIdentityMs,
      processAgeMs: this.caller.facts.ageMs,
      isBehind: isBehind(views.status.value),
      isUndecided: false,
      ...(this.#call.deadlineMs !== undefined && { deadlineMs: this.#call.deadlineMs }),
    });
  }

  /** Notes for `assay why` that this caller was refused. */
  refused(view: WorkloadView): void {
    refuse(this.#deps, this.#call, reasonOf(view, this.#deps.views.status.value), this.caller);
  }
}

/**
 * Attests until no entry of this node is undecided for the caller, so that a failing attestor never
 * makes a partial set of identities look like the whole.
 */
async function attestFully(deps: WorkloadSessionDeps, call: WorkloadCall): Promise<AttestedCaller> {
  const { clock, views } = deps;
  const startMs = clock.monotonicMs();
  for (;;) {
    const caller = await attestOnce(deps, call);
    const open = caller.undecided.filter((u) => u.transient);
    if (open.length === 0 || !views.couldGrant(caller, (s) => isUndecided(open, s))) return caller;
    const waitMs = identityWaitMs({
      waitMs: deps.waitForIdentityMs,
      processAgeMs: caller.facts.ageMs,
      isBehind: false,
      isUndecided: true,
      ...(call.deadlineMs !== undefined && { deadlineMs: call.deadlineMs }),
    });
    if (call.signal.aborted || clock.monotonicMs() - startMs + reattestMs > waitMs) {
      refuse(deps, call, "attestor_failed", caller);
      throw unavailable("workload attestation is incomplete", { reason: "attestor_failed" });
    }
    await clock.sleep(reattestMs, call.signal);
  }
}

async function attestOnce(deps: WorkloadSessionDeps, call: WorkloadCall): Promise<AttestedCaller> {
  try {
    return await deps.attest(call.caller, call.signal);
  } catch (cause) {
    if (!(cause instanceof CallerGoneError)) throw cause;
    refuse(deps, call, "caller_gone");
    throw unavailable("workload attestation failed", { reason: "caller_gone", cause });
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
  deps: WorkloadSessionDeps,
  call: WorkloadCall,
  reason: RefusalReason,
  caller?: AttestedCaller,
): void {
  const { pid, uid } = call.caller.credentials;
  deps.refusals.add({ reason, pid, uid, ...(caller && { caller }) });
  call.log.info({ reason_code: reason, caller_pid: pid, caller_uid: uid }, "Refused workload");
}
