/** What the Broker API answers to references that lead nowhere (Broker API 4.8). */
import {
  invalidArgument,
  notFound,
  permissionDenied,
  type StatusError,
} from "../../../runtime/errors/status-error.ts";
import { errorInfo } from "../../../runtime/rpc/status-details.ts";

/** The domain under which the standard's reasons are known. */
const DOMAIN = "spiffe.io";

export function referenceInvalid(message: string, cause?: unknown): StatusError {
  return invalidArgument(message, {
    details: [errorInfo("WORKLOAD_REFERENCE_INVALID", DOMAIN)],
    cause,
  });
}

export function workloadNotFound(cause?: unknown): StatusError {
  return notFound("no such workload", {
    details: [errorInfo("WORKLOAD_NOT_FOUND", DOMAIN)],
    cause,
  });
}

export function workloadNotEntitled(): StatusError {
  return permissionDenied("no identity issued", {
    details: [errorInfo("WORKLOAD_NOT_ENTITLED", DOMAIN)],
  });
}
