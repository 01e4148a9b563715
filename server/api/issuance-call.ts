import type { CallContext } from "../../runtime/rpc/call-context.ts";
import type { IssuanceCall } from "../ca/issuance.ts";
import { auditSubjectOf, sourceOfCaller } from "./audit-call.ts";
import { type Caller, nameOfCaller } from "./caller.ts";

/**
 * The call as those who issue need to know it.
 *
 * @param kind "attesting" for a caller that is about to become an agent; made from the caller otherwise
 */
export function issuanceCallOf(ctx: CallContext<Caller>, kind?: "attesting"): IssuanceCall {
  const { caller } = ctx;
  return {
    requestId: ctx.requestId,
    source: sourceOfCaller(caller),
    actor: {
      kind: kind ?? actorKindOf(caller),
      id: nameOfCaller(caller),
      mayMint: "grants" in caller && caller.grants.roles.has("minter"),
    },
    auditActors: [auditSubjectOf(caller)],
  };
}

function actorKindOf(caller: Caller): IssuanceCall["actor"]["kind"] {
  switch (caller.kind) {
    case "agent":
      return "agent";
    case "identity":
      return caller.downstreamEntryId === undefined ? "administrator" : "downstream";
    case "local":
    case "registrar":
      return "administrator";
    case "anonymous":
      return "attesting";
  }
}
