import { describeError } from "../../../runtime/errors/describe.ts";
import { internal, StatusError } from "../../../runtime/errors/status-error.ts";
import { failureStatus, StoreFailure } from "../store-failure.ts";
import type { SentError } from "./messages.ts";

/** Takes an error apart for the way between threads. Only what we wrote for callers keeps its text. */
export function sendError(err: unknown): SentError {
  if (err instanceof StoreFailure) {
    const fault = { reason: err.reason, message: err.message };
    return { kind: "fault", fault, cause: describeError(err) };
  }
  if (err instanceof StatusError) {
    const { code, message, reason, cause } = err;
    return {
      kind: "status",
      code,
      message,
      ...(reason !== undefined && { reason }),
      ...(cause !== undefined && { cause: describeError(cause) }),
    };
  }
  const { code, message } = internal("the store could not do this");
  return { kind: "status", code, message, cause: describeError(err) };
}

/** Puts an error together again. */
export function receiveError(sent: SentError): StatusError {
  if (sent.kind === "fault") return failureStatus(sent.fault, new Error(sent.cause));
  return new StatusError(sent.code, sent.message, {
    ...(sent.reason !== undefined && { reason: sent.reason }),
    ...(sent.cause !== undefined && { cause: new Error(sent.cause) }),
  });
}
