import type { MessageInitShape } from "@bufbuild/protobuf";
import type { RefusalSchema } from "../../proto/gen/assay/sync/v1/sync_pb.ts";
import type { Refusal, RefusalReason } from "./refusals.ts";

/** A refusal, or a process that was asked about and may never have been refused. */
type Reported = Omit<Refusal, "reason"> & { readonly reason: RefusalReason | undefined };

/** A refusal as the server and `assay why` read it. */
export function refusalMessage(
  { at, pid, uid, reason, caller, delegateId }: Reported,
  agentRevision: bigint,
): MessageInitShape<typeof RefusalSchema> {
  return {
    timeMs: BigInt(at.getTime()),
    pid,
    uid,
    reasonCode: reason ?? "",
    executable: caller?.executable ?? "",
    delegateId: delegateId ?? "",
    selectors: [...(caller?.selectors ?? [])],
    // What can never be known of a caller is no failure: of a container, for instance, the path of its program.
    failedAttestors: [
      ...new Set(caller?.undecided.filter(({ transient }) => transient).map(({ type }) => type)),
    ],
    agentRevision,
  };
}
