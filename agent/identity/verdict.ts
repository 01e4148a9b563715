import { fromBinary } from "@bufbuild/protobuf";
import {
  PermissionDeniedDetailsSchema,
  PermissionDeniedDetails_Reason as Reason,
} from "../../proto/gen/spire/api/types/status_pb.ts";
import { Status, StatusError } from "../../runtime/errors/status-error.ts";

/**
 * What the server says of this agent's standing when it refuses a call: `banned`, or one of those after which the agent may
 * come back by attesting again.
 */
export type Verdict = "expired" | "not_attested" | "not_active" | "banned" | "must_reattest";

const DETAILS_TYPE = `type.googleapis.com/${PermissionDeniedDetailsSchema.typeName}`;

/**
 * Reads the verdict from a failed call; undefined when the failure says nothing of the agent's standing. Only the typed detail
 * counts, never the text.
 */
export function readVerdict(err: unknown): Verdict | undefined {
  if (!(err instanceof StatusError) || err.code !== Status.PERMISSION_DENIED) return undefined;
  for (const detail of err.details) {
    if (detail.typeUrl !== DETAILS_TYPE) continue;
    const verdict = readReason(detail.value);
    if (verdict !== undefined) return verdict;
  }
  return undefined;
}

// A detail that makes no sense tells nothing; the call has failed all the same.
function readReason(value: Uint8Array): Verdict | undefined {
  try {
    return verdictOf(fromBinary(PermissionDeniedDetailsSchema, value).reason);
  } catch {
    return undefined;
  }
}

function verdictOf(reason: Reason): Verdict | undefined {
  switch (reason) {
    case Reason.AGENT_EXPIRED:
      return "expired";
    case Reason.AGENT_NOT_ATTESTED:
      return "not_attested";
    case Reason.AGENT_NOT_ACTIVE:
      return "not_active";
    case Reason.AGENT_BANNED:
      return "banned";
    case Reason.AGENT_MUST_REATTEST:
      return "must_reattest";
    default:
      return undefined;
  }
}
