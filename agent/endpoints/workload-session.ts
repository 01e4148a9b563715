/**
 * The part that every Workload API call shares: find out who the caller is, and turn each way this can fail into the status that the standard names.
 */
import { selectorSetDigest } from "../../proto/selector.ts";
import { unavailable } from "../../runtime/errors/status-error.ts";
import type { CallContext } from "../../runtime/rpc/call-context.ts";
import type { Clock } from "../../runtime/time/clock.ts";
import type { ViewStatus, WorkloadView, WorkloadViews } from "../cache/workload-view.ts";
import { type AttestedCaller, CallerGoneError } from "../workload-attestation/attest.ts";
import type { Undecided } from "../workload-attestation/workload-attestor.ts";
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

type WorkloadCall = CallContext<WorkloadPeer>;

/** How long to wait before a caller is attested again while an attestor has a transient failure. */
const reattestMs = 100;

/** One call of an attested workload. */
export class WorkloadSession {
  readonly #deps: WorkloadSessionDeps;
  readonly #call: WorkloadCall;
  #caller: AttestedCaller;
  /** The kinds of selectors that were asked for when the caller was attested. */
  #selectorKinds: number;

  private constructor(
    deps: WorkloadSessionDeps,
    call: WorkloadCall,
    caller: AttestedCaller,
    selectorKinds: number,
  ) {
    this.#deps = deps;
    this.#call = call;
    this.#caller = caller;
    this.#selectorKinds = selectorKinds;
  }

  /** @throws {StatusError} UNAVAILABLE when the caller cannot be attested */
  static async open(deps: WorkloadSessionDeps, call: WorkloadCall): Promise<WorkloadSession> {
    const selectorKinds = deps.views.selectorKinds.value;
    return new WorkloadSession(deps, call, await attestFully(deps, call), selectorKinds);
  }

  get caller(): AttestedCaller {
    return this.#caller;
  }

  /**
   * Resolves with true once the caller turned out to have other selectors than before: entries ask for kinds of them that none
   * asked for when it was attested, such as its program's digest. With false once `signal` aborts.
   *
   * @throws {StatusError} UNAVAILABLE when the caller cannot be attested again
   */
  async selectorsChanged(signal: AbortSignal): Promise<boolean> {
    for await (const kinds of this.#deps.views.selectorKinds.subscribe(signal)) {
      if (kinds === this.#selectorKinds) continue;
      this.#selectorKinds = kinds;
      const known = selectorSetDigest(this.#caller.selectors);
      this.#caller = await attestFully(this.#deps, this.#call);
      if (selectorSetDigest(this.#caller.selectors) !== known) return true;
    }
    return false;
  }

  /**
   * Makes sure that what is sent now reaches the process that was attested, not whoever it left its connection to.
   *
   * @throws {StatusError} UNAVAILABLE when the process has ended
   */
  requirePresence(): void {
    if (this.#deps.isPresent(this.#call.caller)) return;
    refuse(this.#deps, this.#call, "caller_gone", { caller: this.#caller });
    throw unavailable("calling process has ended", { reason: "caller_gone" });
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

  /** Notes for `assay why` that this caller was refused. */
  refused(view: WorkloadView): void {
    refuse(this.#deps, this.#call, reasonOf(view, this.#deps.views.status.value), {
      caller: this.#caller,
    });
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
      refuse(deps, call, "attestor_failed", { caller });
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
    refuse(deps, call, "caller_gone", { cause });
    throw unavailable("workload attestation failed", { reason: "caller_gone" });
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
  call: WorkloadCall,
  reason: RefusalReason,
  details: Pick<Refusal, "caller" | "cause">,
): void {
  const { pid, uid } = call.caller.credentials;
  refusals.add({ reason, pid, uid, ...details });
}
