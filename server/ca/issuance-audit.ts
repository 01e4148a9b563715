import { hash } from "node:crypto";
import type {
  AuditAction,
  AuditCredential,
  AuditDraft,
  AuditItem,
  AuditSubject,
} from "../../proto/audit/v1/record.ts";
import type { SpiffeId } from "../../spiffe/id/spiffe-id.ts";
import type { IssuanceDecision, IssuanceEntry, IssuanceProfile } from "../policy/issuance.ts";
import type { IssuanceCall } from "./issuance.ts";

/** What of an order stands in the audit. */
export interface AuditedOrder {
  readonly profile: IssuanceProfile;
  readonly spiffeId: SpiffeId;
  readonly entry?: IssuanceEntry;
  readonly auditSubject?: AuditSubject;
}

/** What holds for all credentials of a call. */
export interface AuditedCall {
  readonly action: AuditAction;
  readonly call: IssuanceCall;
  readonly policyRevision: string;
  readonly revocationEpoch: bigint;
}

/** A record about the credentials of one call: of one on the record itself, of several as its batch. */
export function issuanceDraft(audited: AuditedCall, items: readonly AuditItem[]): AuditDraft {
  const { action, call, policyRevision, revocationEpoch } = audited;
  const { requestId, source, auditActors: actors } = call;
  const epoch = revocationEpoch.toString();
  const base = { action, requestId, source, actors, policyRevision, revocationEpoch: epoch };
  const [only, ...others] = items;
  return only !== undefined && others.length === 0
    ? { ...base, ...only }
    : { ...base, batch: items };
}

/** What is about to be signed. */
export function intendedItem(
  order: AuditedOrder,
  credential: AuditCredential,
  spkiDer: Uint8Array | undefined,
  decision: IssuanceDecision,
): AuditItem {
  return {
    subject: subjectOf(order),
    credential,
    ...(spkiDer === undefined ? {} : { publicKeySha256: hash("sha256", spkiDer, "hex") }),
    ...entryOf(order),
    ...(decision.ruleIds.length === 0 ? {} : { ruleIds: decision.ruleIds }),
  };
}

/** What the policy refused. */
export function deniedItem(order: AuditedOrder, decision: IssuanceDecision): AuditItem {
  return {
    subject: subjectOf(order),
    ...entryOf(order),
    decision: "deny",
    reasonCode: decision.reasonCode,
    ruleIds: decision.ruleIds,
  };
}

/** What could not even be asked for. */
export function refusedItem(order: AuditedOrder, reasonCode: string): AuditItem {
  return { subject: subjectOf(order), ...entryOf(order), decision: "failed", reasonCode };
}

function subjectOf({ profile, spiffeId, auditSubject }: AuditedOrder): AuditSubject {
  if (auditSubject !== undefined) return auditSubject;
  return { kind: subjectKindOf(profile), id: spiffeId.toString(), podUid: null, node: null };
}

function subjectKindOf(profile: IssuanceProfile): AuditSubject["kind"] {
  switch (profile) {
    case "x509_agent":
      return "node";
    case "x509_server":
    case "x509_downstream_ca":
      return "system";
    default:
      return "workload";
  }
}

function entryOf({ entry }: AuditedOrder): AuditItem {
  return entry === undefined ? {} : { entry: { id: entry.id, revision: entry.revision } };
}
