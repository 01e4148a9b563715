import { encodeStatus, okStatus } from "../../proto/convert/status.ts";
import type { Status } from "../../proto/gen/spire/api/types/status_pb.ts";
import { StatusError } from "../../runtime/errors/status-error.ts";
import type { ItemResult } from "../store/contract/operation.ts";

/** What became of one item of a batch in the store, as the public API says it. */
export function statusOf(result: ItemResult<unknown>): Status {
  return result.ok ? okStatus() : encodeStatus(new StatusError(result.code, result.message));
}
