/** gRPC status codes (https://grpc.io/docs/guides/status-codes/). */
export const Status = {
  OK: 0,
  CANCELLED: 1,
  UNKNOWN: 2,
  INVALID_ARGUMENT: 3,
  DEADLINE_EXCEEDED: 4,
  NOT_FOUND: 5,
  ALREADY_EXISTS: 6,
  PERMISSION_DENIED: 7,
  RESOURCE_EXHAUSTED: 8,
  FAILED_PRECONDITION: 9,
  ABORTED: 10,
  OUT_OF_RANGE: 11,
  UNIMPLEMENTED: 12,
  INTERNAL: 13,
  UNAVAILABLE: 14,
  DATA_LOSS: 15,
  UNAUTHENTICATED: 16,
} as const;

/** The name of a status code as written in logs and metrics, for example "NOT_FOUND". */
export function statusName(code: number): string {
  return STATUS_NAMES[code] ?? `CODE_${code}`;
}

const STATUS_NAMES: readonly string[] = Object.keys(Status);

/** A typed detail of a status: a protobuf message as in google.protobuf.Any. */
export interface StatusDetail {
  /** For example "type.googleapis.com/google.rpc.RetryInfo". */
  readonly typeUrl: string;
  /** The encoded message. */
  readonly value: Uint8Array;
}

/** What a {@link StatusError} may carry beside its code and message. */
export interface StatusOptions {
  /** Stable machine-readable cause in snake_case, such as "no_entry"; shown to the caller as google.rpc.ErrorInfo. */
  readonly reason?: string;
  /** Typed details, shown to the caller. */
  readonly details?: readonly StatusDetail[];
  /** For our own log only; never shown to the caller. */
  readonly cause?: unknown;
}

/**
 * The one error that reaches a caller as it is: code, message, reason and details are written for the caller's eyes. Whatever
 * else is thrown becomes INTERNAL with a fixed text. Made at the place that knows the code, with the functions below.
 */
export class StatusError extends Error {
  override readonly name = "StatusError";
  /** One of {@link Status}. */
  readonly code: number;
  readonly reason?: string;
  readonly details: readonly StatusDetail[];

  constructor(code: number, message: string, options: StatusOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.details = options.details ?? [];
    if (options.reason !== undefined) this.reason = options.reason;
  }
}

/** The request itself is wrong, whatever the state of the system. */
export function invalidArgument(message: string, options?: StatusOptions): StatusError {
  return new StatusError(Status.INVALID_ARGUMENT, message, options);
}

/** The thing asked for does not exist, or the caller may not know that it does. */
export function notFound(message: string, options?: StatusOptions): StatusError {
  return new StatusError(Status.NOT_FOUND, message, options);
}

/** The thing to be created exists. */
export function alreadyExists(message: string, options?: StatusOptions): StatusError {
  return new StatusError(Status.ALREADY_EXISTS, message, options);
}

/** The caller is known and may not do this. */
export function permissionDenied(message: string, options?: StatusOptions): StatusError {
  return new StatusError(Status.PERMISSION_DENIED, message, options);
}

/** A limit of the caller is used up. */
export function resourceExhausted(message: string, options?: StatusOptions): StatusError {
  return new StatusError(Status.RESOURCE_EXHAUSTED, message, options);
}

/** The system is not in a state in which this can be done; asking again does not help until the state changes. */
export function failedPrecondition(message: string, options?: StatusOptions): StatusError {
  return new StatusError(Status.FAILED_PRECONDITION, message, options);
}

/** Something changed under the call; the caller may start over. */
export function aborted(message: string, options?: StatusOptions): StatusError {
  return new StatusError(Status.ABORTED, message, options);
}

/** Not now; the caller may ask again later. */
export function unavailable(message: string, options?: StatusOptions): StatusError {
  return new StatusError(Status.UNAVAILABLE, message, options);
}

/** It is not known who the caller is. */
export function unauthenticated(message: string, options?: StatusOptions): StatusError {
  return new StatusError(Status.UNAUTHENTICATED, message, options);
}

/** We do not do this. */
export function unimplemented(message: string, options?: StatusOptions): StatusError {
  return new StatusError(Status.UNIMPLEMENTED, message, options);
}

/** The time for this was up before it was done. */
export function deadlineExceeded(message: string, options?: StatusOptions): StatusError {
  return new StatusError(Status.DEADLINE_EXCEEDED, message, options);
}

/** Something that must not happen did. The message is shown to the caller; say no more than the caller may know. */
export function internal(message: string, options?: StatusOptions): StatusError {
  return new StatusError(Status.INTERNAL, message, options);
}
