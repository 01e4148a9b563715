import { selectorSetDigest } from "../../../proto/selector.ts";
import type { CallContext } from "../../../runtime/rpc/call-context.ts";
import type { DeliveredTo } from "../../audit/delivery-records.ts";
import { instanceKey } from "../../cache/instance.ts";
import type { WorkloadCaller } from "../../cache/workload-view.ts";
import type { AttestedCaller } from "../../workload-attestation/attest.ts";
import type { WorkloadPeer } from "../workload-peer.ts";

/** A call by somebody who may act for workloads, for as long as that is so. */
export interface ActingDelegate extends Disposable {
  readonly who: DeliveredTo;
  /** Which instance it is; what it is given is not given to another. */
  readonly instance: string;
  /** What is known of its process. */
  readonly self: AttestedCaller;
  readonly call: CallContext<WorkloadPeer>;
  /** Aborts when the call is over, or the delegate may act no longer; the reason is a StatusError. */
  readonly over: AbortSignal;
  /** @throws {StatusError} when the process that called has ended */
  requirePresence(): void;
}

/** Who a delegate is, by its SPIFFE ID and what was found out about its process. */
export function describeDelegate(
  id: string,
  self: AttestedCaller,
): Pick<ActingDelegate, "who" | "instance" | "self"> {
  const { instance, executable, facts } = self;
  return {
    self,
    who: { id, uid: facts.uid, podUid: instance.podUid, executable },
    instance: `${id} in ${instanceKey("platform", instance)}`,
  };
}

/**
 * A process, as somebody else calls for it. The instance is the delegate's for this workload: it gets keys of its own (D11), so
 * that a serial says whether the workload or its delegate holds it.
 */
export function callerForProcess(
  { who, instance }: Pick<ActingDelegate, "who" | "instance">,
  caller: AttestedCaller,
): WorkloadCaller {
  return {
    selectors: caller.selectors,
    instance: { ...caller.instance, delegate: instance },
    ...(caller.executable !== undefined && { executable: caller.executable }),
    delegate: who,
  };
}

/** The same for whatever has these selectors. */
export function callerForSelectors(
  { who, instance }: Pick<ActingDelegate, "who" | "instance">,
  selectors: WorkloadCaller["selectors"],
): WorkloadCaller {
  return {
    selectors,
    instance: {
      uid: who.uid,
      process: "",
      delegate: instance,
      selectors: selectorSetDigest(selectors),
    },
    delegate: who,
  };
}
