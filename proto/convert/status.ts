import {
  create,
  type DescMessage,
  fromBinary,
  type MessageInitShape,
  type MessageShape,
  toBinary,
} from "@bufbuild/protobuf";
import { durationFromMs, durationMs } from "@bufbuild/protobuf/wkt";
import {
  permissionDenied,
  resourceExhausted,
  Status,
  type StatusDetail,
  StatusError,
  type StatusOptions,
} from "../../runtime/errors/status-error.ts";
import { RetryInfoSchema } from "../gen/google/rpc/error_details_pb.ts";
import {
  type PermissionDeniedDetails_Reason,
  PermissionDeniedDetailsSchema,
  type Status as WireStatus,
  StatusSchema as WireStatusSchema,
} from "../gen/spire/api/types/status_pb.ts";

/** The status of a batch item that succeeded. Each call makes its own message. */
export function okStatus(): WireStatus {
  return create(WireStatusSchema, { code: Status.OK, message: "OK" });
}

/**
 * The status of a batch item that failed. What is not a {@link StatusError} becomes INTERNAL with a fixed text, because its message
 * was not written for the caller.
 */
export function encodeStatus(err: unknown): WireStatus {
  return err instanceof StatusError
    ? create(WireStatusSchema, { code: err.code, message: err.message })
    : create(WireStatusSchema, { code: Status.INTERNAL, message: "internal error" });
}

/** Reads the status of a batch item: undefined for success. */
export function decodeStatus(message: WireStatus | undefined): StatusError | undefined {
  if (message === undefined || message.code === Status.OK) return undefined;
  return new StatusError(message.code, message.message);
}

/** PERMISSION_DENIED with the detail by which an agent knows whether to attest again or to stop. */
export function agentDenied(
  reason: PermissionDeniedDetails_Reason,
  message: string,
  options: Pick<StatusOptions, "reason"> = {},
): StatusError {
  return permissionDenied(message, {
    ...options,
    details: [encodeDetail(PermissionDeniedDetailsSchema, { reason })],
  });
}

/** Why the server refused the agent; undefined when the error is not about the agent's state. */
export function agentDenialReason(err: StatusError): PermissionDeniedDetails_Reason | undefined {
  return decodeDetail(PermissionDeniedDetailsSchema, err)?.reason;
}

/** RESOURCE_EXHAUSTED with the time after which to try again. */
export function rateLimited(message: string, retryAfterMs: number): StatusError {
  return resourceExhausted(message, {
    reason: "rate_limited",
    details: [encodeDetail(RetryInfoSchema, { retryDelay: durationFromMs(retryAfterMs) })],
  });
}

/** When the server wants to be asked again, in milliseconds; undefined when it did not say. */
export function retryAfterMs(err: StatusError): number | undefined {
  const delay = decodeDetail(RetryInfoSchema, err)?.retryDelay;
  return delay === undefined ? undefined : durationMs(delay);
}

const TYPE_URL_PREFIX = "type.googleapis.com/";

function encodeDetail<S extends DescMessage>(schema: S, init: MessageInitShape<S>): StatusDetail {
  return {
    typeUrl: TYPE_URL_PREFIX + schema.typeName,
    value: toBinary(schema, create(schema, init)),
  };
}

/** The first detail of a type. One that cannot be read counts as absent: details only add to code and message. */
function decodeDetail<S extends DescMessage>(
  schema: S,
  err: StatusError,
): MessageShape<S> | undefined {
  const suffix = `/${schema.typeName}`;
  const detail = err.details.find(({ typeUrl }) => typeUrl.endsWith(suffix));
  if (detail === undefined) return undefined;
  try {
    return fromBinary(schema, detail.value);
  } catch {
    return undefined;
  }
}
