/** Why a bundle could not be fetched, or was not taken, as a closed set of stable codes. */
export type FetchErrorCode =
  | "endpoint_unreachable"
  | "endpoint_timeout"
  | "endpoint_untrusted"
  | "endpoint_bundle_unknown"
  | "endpoint_status"
  | "endpoint_redirect"
  | "bundle_too_large"
  | "bundle_malformed"
  | "bundle_sequence"
  | "bundle_own_authority";

/** A bundle was not fetched. The message is for operators; what the other side sent stands in it only quoted. */
export class FetchError extends Error {
  override readonly name = "FetchError";
  readonly code: FetchErrorCode;

  constructor(code: FetchErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}
