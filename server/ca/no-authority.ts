import { type StatusError, unavailable } from "../../runtime/errors/status-error.ts";

/** There is no authority that could sign: before the first one is made, or when its key is out of reach. */
export function noAuthority(kind: "X.509" | "JWT" | "WIT"): StatusError {
  return unavailable(`no ${kind} authority can sign at present`, { reason: "no_authority" });
}
