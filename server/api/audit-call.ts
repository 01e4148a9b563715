import type { AuditDraft, AuditSubject } from "../../proto/audit/v1/record.ts";
import type { Call } from "../../runtime/rpc/interceptor.ts";
import { type Caller, nameOfCaller } from "./caller.ts";
import type { AuditRule } from "./methods.ts";

/** What every record of a call has in common: who called, from where, and what about. */
export function draftOfCall({ ctx, request }: Call<Caller>, rule: AuditRule): AuditDraft {
  const { caller } = ctx;
  const asked = request as never;
  const resource = request === undefined ? undefined : rule.resource?.(asked);
  const items = request === undefined ? undefined : rule.items?.(asked);
  return {
    action: rule.action,
    requestId: ctx.requestId,
    source: sourceOfCaller(caller),
    actors: [auditSubjectOf(caller)],
    ...(resource === undefined || resource === "" ? {} : { resource }),
    ...(items === undefined || items.length === 0 ? {} : { batch: items }),
    ...(caller.kind === "local"
      ? { details: { pid: caller.pid, gid: caller.gid, path: caller.path ?? null } }
      : {}),
  };
}

/** The caller as the audit names it. */
export function auditSubjectOf(caller: Caller): AuditSubject {
  const kinds = {
    local: "user",
    agent: "node",
    identity: "workload",
    registrar: "system",
    anonymous: "user",
  } as const;
  return { kind: kinds[caller.kind], id: nameOfCaller(caller), podUid: null, node: null };
}

/** Where a call came from, as the audit names it: "unix", "internal" or a network address. */
export function sourceOfCaller(caller: Caller): string {
  if (caller.kind === "registrar") return "internal";
  return caller.kind === "local" ? "unix" : caller.address;
}
