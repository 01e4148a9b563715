import { Metadata, type StatusObject } from "@grpc/grpc-js";
import { internal, Status, StatusError } from "../errors/status-error.ts";
import type { Logger } from "../log.ts";
import { asBuffer } from "./definition.ts";
import { encodeStatus, STATUS_DETAILS_KEY } from "./status-details.ts";

/** Longest status message that is sent; it travels in a header, and peers limit those. */
const MAX_MESSAGE_LENGTH = 4096;

/** The gRPC status code that a caller sees for `err`. */
export function statusCodeOf(err: unknown): number {
  if (err instanceof StatusError) return err.code;
  return isAbort(err) ? Status.CANCELLED : Status.INTERNAL;
}

/**
 * The error a caller sees for whatever a handler threw: a StatusError as it is; after the call was ended from outside, why it
 * was; all else as INTERNAL with a fixed text and the request id, by which operators find the cause in the log.
 */
export function toStatusError(
  err: unknown,
  endedBy: StatusError | undefined,
  requestId: string,
): StatusError {
  if (err instanceof StatusError) return err;
  if (endedBy !== undefined) return endedBy;
  if (isAbort(err)) return new StatusError(Status.CANCELLED, "call cancelled", { cause: err });
  return internal(`internal error (request ${requestId})`, { cause: err });
}

/** Logs what the caller is not told. Failures that are the caller's are of interest only when looking for them. */
export function reportFailure(log: Logger, status: StatusError): void {
  switch (status.code) {
    case Status.INTERNAL:
    case Status.UNKNOWN:
    case Status.DATA_LOSS:
      log.error({ err: status.cause ?? status }, "Call failed");
      return;
    case Status.UNAVAILABLE:
      if (status.cause !== undefined) log.warn({ err: status }, "Call could not be served");
      return;
    default:
      if (status.cause !== undefined) log.debug({ err: status }, "Call refused");
  }
}

/** The status as grpc-js sends it. */
export function toStatusObject(err: StatusError, trailer: Metadata | undefined): StatusObject {
  const metadata = trailer ?? new Metadata();
  if (err.reason !== undefined || err.details.length > 0) {
    metadata.set(STATUS_DETAILS_KEY, asBuffer(encodeStatus(err)));
  }
  // A lone surrogate cannot be percent-encoded: grpc-js would throw where nobody catches.
  const details = err.message.slice(0, MAX_MESSAGE_LENGTH).toWellFormed();
  return { code: err.code, details, metadata };
}

function isAbort(err: unknown): boolean {
  return err instanceof Error && err.name === "AbortError";
}
