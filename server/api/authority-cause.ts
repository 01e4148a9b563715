import type { CallContext } from "../../runtime/rpc/call-context.ts";
import type { AuthorityCause } from "../ca/authorities.ts";
import { auditSubjectOf, sourceOfCaller } from "./audit-call.ts";
import type { Caller } from "./caller.ts";

/** On whose behalf a call changes an authority. */
export function authorityCauseOf(ctx: CallContext<Caller>): AuthorityCause {
  return {
    requestId: ctx.requestId,
    source: sourceOfCaller(ctx.caller),
    actors: [auditSubjectOf(ctx.caller)],
  };
}
