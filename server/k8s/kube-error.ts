/**
 * Why a request to a cluster's API server did not give what was asked for:
 *
 * - not_found, already_exists, conflict, invalid: the API server says so about the object
 * - unauthorized, forbidden: our credentials are not known, or may not do this
 * - gone: the version that a watch or a list wants to go on from is too old; list again
 * - unavailable: no answer, or one that says "not now"
 * - timeout: no answer within our time limit
 * - too_large, malformed: an answer that we do not read
 */
export type KubeErrorCode =
  | "not_found"
  | "already_exists"
  | "conflict"
  | "invalid"
  | "unauthorized"
  | "forbidden"
  | "gone"
  | "unavailable"
  | "timeout"
  | "too_large"
  | "malformed";

/** A request to an API server that failed. The message is for operators; it never holds credentials. */
export class KubeError extends Error {
  override readonly name = "KubeError";
  readonly code: KubeErrorCode;
  /** How long the API server wants us to stay away, in milliseconds. */
  readonly retryAfterMs?: number;

  constructor(
    code: KubeErrorCode,
    message: string,
    options: { readonly retryAfterMs?: number | undefined; readonly cause?: unknown } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    if (options.retryAfterMs !== undefined) this.retryAfterMs = options.retryAfterMs;
  }
}

/** Whether an error is this kind of failure of an API server. */
export function isKubeError(err: unknown, ...codes: readonly KubeErrorCode[]): err is KubeError {
  return err instanceof KubeError && codes.includes(err.code);
}

const MAX_MESSAGE = 500;
const MAX_RETRY_AFTER_SECONDS = 60;

const CODES: Readonly<Record<number, KubeErrorCode>> = {
  400: "invalid",
  401: "unauthorized",
  403: "forbidden",
  404: "not_found",
  405: "invalid",
  409: "conflict",
  410: "gone",
  413: "invalid",
  415: "invalid",
  422: "invalid",
};

/** The error for an answer of the API server that is not a success. `body` is its Status object, or whatever came instead. */
export function errorOfAnswer(o: {
  readonly what: string;
  readonly status: number;
  readonly body: string;
  readonly retryAfter?: string | undefined;
}): KubeError {
  const { reason, message } = readStatus(o.body);
  const isExisting = o.status === 409 && reason === "AlreadyExists";
  const code = isExisting ? "already_exists" : (CODES[o.status] ?? "unavailable");
  const said = message === "" ? "" : `: ${message}`;
  const seconds = Number(o.retryAfter ?? Number.NaN);
  return new KubeError(code, `${o.what}: the API server answered ${o.status}${said}`, {
    retryAfterMs: seconds >= 0 ? Math.min(seconds, MAX_RETRY_AFTER_SECONDS) * 1000 : undefined,
  });
}

/** Reads what can be read of a Status object. */
export function readStatus(body: string): { readonly reason: string; readonly message: string } {
  let value: unknown;
  try {
    value = JSON.parse(body);
  } catch {
    return { reason: "", message: "" };
  }
  const textOf = (key: string): string => {
    const found = typeof value === "object" && value !== null && Reflect.get(value, key);
    return typeof found === "string" ? found.slice(0, MAX_MESSAGE) : "";
  };
  return { reason: textOf("reason"), message: textOf("message") };
}
