import {
  resourceExhausted,
  type StatusError,
  unavailable,
} from "../../runtime/errors/status-error.ts";
import type { StoreFault } from "./store.ts";

/**
 * The database itself failed: the disk is full or broken, the file is damaged, somebody else holds it. No caller's fault, and
 * every write that shared the transaction fails with it.
 */
export class StoreFailure extends Error {
  override readonly name = "StoreFailure";
  readonly reason: StoreFault["reason"];

  constructor(
    reason: StoreFault["reason"],
    message: string,
    options?: { readonly cause?: unknown },
  ) {
    super(message, options);
    this.reason = reason;
  }
}

/** What a caller hears of it: RESOURCE_EXHAUSTED when the disk is full, else UNAVAILABLE. */
export function failureStatus(fault: StoreFault, cause?: unknown): StatusError {
  const options = { reason: fault.reason, ...(cause !== undefined && { cause }) };
  return fault.reason === "store_full"
    ? resourceExhausted(fault.message, options)
    : unavailable(fault.message, options);
}
