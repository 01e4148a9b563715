import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { ErrorInfoSchema, RetryInfoSchema } from "../../proto/gen/google/rpc/error_details_pb.ts";
import { StatusSchema } from "../../proto/gen/google/rpc/status_pb.ts";
import type { StatusDetail, StatusError } from "../errors/status-error.ts";

/** The metadata key under which gRPC carries the details of a status, as an encoded google.rpc.Status. */
export const STATUS_DETAILS_KEY = "grpc-status-details-bin";

/** The domain under which our reason codes are known (google.rpc.ErrorInfo.domain). */
export const ERROR_DOMAIN = "assay";

const ERROR_INFO_TYPE = `type.googleapis.com/${ErrorInfoSchema.typeName}`;
const RETRY_INFO_TYPE = `type.googleapis.com/${RetryInfoSchema.typeName}`;

/**
 * A google.rpc.RetryInfo: when the caller may ask again. Goes with RESOURCE_EXHAUSTED and UNAVAILABLE.
 *
 * @param delayMs milliseconds from now; parts of one are rounded up
 */
export function retryInfo(delayMs: number): StatusDetail {
  const wholeMs = Math.max(0, Math.ceil(delayMs));
  const seconds = BigInt(Math.floor(wholeMs / 1000));
  const nanos = (wholeMs % 1000) * 1_000_000;
  const info = create(RetryInfoSchema, { retryDelay: { seconds, nanos } });
  return { typeUrl: RETRY_INFO_TYPE, value: toBinary(RetryInfoSchema, info) };
}

/** Milliseconds after which the other side allows another attempt, if it says so in a way that can be read. */
export function retryDelayMs(err: StatusError): number | undefined {
  const detail = err.details.find(({ typeUrl }) => typeUrl === RETRY_INFO_TYPE);
  if (detail === undefined) return undefined;
  try {
    const { retryDelay } = fromBinary(RetryInfoSchema, detail.value);
    return retryDelay && Number(retryDelay.seconds) * 1000 + retryDelay.nanos / 1_000_000;
  } catch {
    return undefined;
  }
}

/** A google.rpc.ErrorInfo with a reason that somebody else has named; `domain` says who. Ours go by `StatusError.reason`. */
export function errorInfo(reason: string, domain: string): StatusDetail {
  const info = create(ErrorInfoSchema, { reason, domain });
  return { typeUrl: ERROR_INFO_TYPE, value: toBinary(ErrorInfoSchema, info) };
}

/** Encodes a google.rpc.Status; the reason code goes in as a google.rpc.ErrorInfo behind the other details. */
export function encodeStatus(err: StatusError): Uint8Array {
  const { code, message, reason } = err;
  const details =
    reason === undefined ? err.details : [...err.details, errorInfo(reason, ERROR_DOMAIN)];
  return toBinary(StatusSchema, create(StatusSchema, { code, message, details: [...details] }));
}

/**
 * Reads the details and our reason code from an encoded google.rpc.Status. What cannot be read is left out: the code and the
 * message of the status came on another way and hold without it.
 */
export function decodeStatusDetails(bytes: Uint8Array): {
  details: readonly StatusDetail[];
  reason?: string;
} {
  try {
    const details = fromBinary(StatusSchema, bytes).details.map(({ typeUrl, value }) => ({
      typeUrl,
      value,
      reason: decodeReason(typeUrl, value),
    }));
    const reason = details.find((detail) => detail.reason !== undefined)?.reason;
    const rest = details
      .filter((detail) => detail.reason === undefined)
      .map(({ typeUrl, value }) => ({ typeUrl, value }));
    return reason === undefined ? { details: rest } : { details: rest, reason };
  } catch {
    return { details: [] };
  }
}

function decodeReason(typeUrl: string, value: Uint8Array): string | undefined {
  if (typeUrl !== ERROR_INFO_TYPE) return undefined;
  const { domain, reason } = fromBinary(ErrorInfoSchema, value);
  return domain === ERROR_DOMAIN ? reason : undefined;
}
