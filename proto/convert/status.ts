import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import {
  permissionDenied,
  resourceExhausted,
  Status,
  StatusError,
  type StatusOptions,
} from "../../runtime/errors/status-error.ts";
import { retryInfo } from "../../runtime/rpc/status-details.ts";
import {
  type PermissionDeniedDetails_Reason,
  PermissionDeniedDetailsSchema,
  type Status as WireStatus,
} from "../gen/spire/api/types/status_pb.ts";

/** The status of a batch item that succeeded. Each call makes its own message. */
export function okStatus(): WireStatus {
  return statusMessage(Status.OK, "OK");
}

/**
 * The status of a batch item that failed. What is not a {@link StatusError} becomes INTERNAL with a fixed text, because its message
 * was not written for the caller.
 */
export function encodeStatus(err: unknown): WireStatus {
  return err instanceof StatusError
    ? statusMessage(err.code, err.message)
    : statusMessage(Status.INTERNAL, "internal error");
}

// The message as it is: the library's create() takes several times as long, and batches have hundreds of them.
function statusMessage(code: number, message: string): WireStatus {
  return { $typeName: "spire.api.types.Status", code, message };
}

const DENIED_TYPE_URL = `type.googleapis.com/${PermissionDeniedDetailsSchema.typeName}`;

/** PERMISSION_DENIED with the detail by which an agent knows whether to attest again or to stop. */
export function agentDenied(
  reason: PermissionDeniedDetails_Reason,
  message: string,
  options: Pick<StatusOptions, "reason"> = {},
): StatusError {
  const details = create(PermissionDeniedDetailsSchema, { reason });
  const value = toBinary(PermissionDeniedDetailsSchema, details);
  return permissionDenied(message, { ...options, details: [{ typeUrl: DENIED_TYPE_URL, value }] });
}

/**
 * Why the server refused the agent; undefined when the error is not about the agent's state, or says it in a way that cannot be
 * read. Only the typed detail counts, never the text.
 */
export function agentDenialReason(err: StatusError): PermissionDeniedDetails_Reason | undefined {
  if (err.code !== Status.PERMISSION_DENIED) return undefined;
  const detail = err.details.find(({ typeUrl }) => typeUrl === DENIED_TYPE_URL);
  if (detail === undefined) return undefined;
  try {
    return fromBinary(PermissionDeniedDetailsSchema, detail.value).reason;
  } catch {
    return undefined;
  }
}

/** RESOURCE_EXHAUSTED with the time after which to try again. */
export function rateLimited(limit: string, perSecond: number, retryAfterMs: number): StatusError {
  const message = `rate limit for ${limit} reached (${perSecond} a second), try again in ${retryAfterMs} ms`;
  return resourceExhausted(message, {
    reason: "rate_limited",
    details: [retryInfo(retryAfterMs)],
  });
}
