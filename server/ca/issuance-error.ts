import {
  internal,
  invalidArgument,
  permissionDenied,
  type StatusError,
  type StatusOptions,
  unimplemented,
} from "../../runtime/errors/status-error.ts";
import type { IssuanceDecision, IssuanceReason } from "../policy/issuance.ts";
import type { CsrRefusal } from "./svid-preparation.ts";

type Kind = (message: string, options?: StatusOptions) => StatusError;

/** Reasons that are faults of the request, or of us; every other one is a matter of permission. */
const KINDS: Partial<Record<IssuanceReason, Kind>> = {
  foreign_trust_domain: invalidArgument,
  root_id: invalidArgument,
  reserved_id: invalidArgument,
  agent_id: invalidArgument,
  server_id: invalidArgument,
  audience_missing: invalidArgument,
  audience_limit: invalidArgument,
  dns_name: invalidArgument,
  disabled: unimplemented,
  policy_error: internal,
};

/** A denial as the caller sees it. */
export function denialError({ reasonCode, message }: IssuanceDecision): StatusError {
  return (KINDS[reasonCode] ?? permissionDenied)(message, { reason: reasonCode });
}

/** A certificate request that is not granted, as the caller sees it. */
export function refusalError(refusal: CsrRefusal, message: string): StatusError {
  return refusal === "profile"
    ? internal(message, { reason: "profile" })
    : invalidArgument(`csr: ${message}`, { reason: refusal });
}
