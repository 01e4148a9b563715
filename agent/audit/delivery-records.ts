import type { AuditDraft, AuditSubject } from "../../proto/audit/v1/record.ts";

/** An SVID on its way to a workload. */
export interface Delivery {
  readonly kind: "x509" | "jwt" | "wit";
  readonly spiffeId: string;
  readonly entryId: string;
  readonly entryRevision: bigint;
  /** Serial number in lower-case hexadecimal, or jti; empty for a token without one. */
  readonly credential: string;
  /** Hexadecimal key identifier of the authority, or empty where that is not known. */
  readonly issuer: string;
  readonly audience: readonly string[];
  readonly expiresAt: Date;
  readonly instance: string;
  readonly podUid: string | undefined;
  readonly executable: string | undefined;
  readonly uid: number;
  /** Who took it for the workload. */
  readonly delegate: DeliveredTo | undefined;
}

/** A process that acts for a workload. */
export interface DeliveredTo {
  /** Its SPIFFE ID. */
  readonly id: string;
  readonly uid: number;
  readonly podUid?: string | undefined;
  readonly executable?: string | undefined;
}

/** A workload that got nothing. */
export interface Refused {
  readonly reason: string;
  readonly pid: number;
  readonly uid: number;
  readonly executable: string | undefined;
  /** SPIFFE ID of who asked for it, where that was somebody else. */
  readonly delegateId: string | undefined;
  readonly selectors: readonly { readonly type: string; readonly value: string }[];
}

/** The record of a delivery. @param suppressed how many of the same kind were not recorded before it */
export function deliveryRecord(
  delivery: Delivery,
  suppressed: number,
  agentId: string | undefined,
): AuditDraft {
  const { kind, credential, audience, executable, delegate } = delivery;
  return {
    action: `svid.${kind}.deliver`,
    source: "unix",
    subject: subjectOf(delivery.spiffeId, agentId, delivery.podUid),
    actors: actorsOf(delivery, agentId),
    credential: {
      kind,
      issuer: delivery.issuer,
      serial: kind === "x509" ? credential : null,
      jti: kind === "x509" ? null : credential,
      audience,
      expiry: delivery.expiresAt.toISOString(),
    },
    entry: { id: delivery.entryId, revision: Number(delivery.entryRevision) },
    details: {
      instance: delivery.instance,
      executable: executable ?? null,
      ...(delegate && { delegate_executable: delegate.executable ?? null }),
      suppressed,
    },
  };
}

/** The record of a refusal. @param suppressed how many of the same kind were not recorded before it */
export function refusalRecord(
  refused: Refused,
  suppressed: number,
  agentId: string | undefined,
): AuditDraft {
  const { reason, pid, uid, executable, delegateId, selectors } = refused;
  return {
    action: "workload.refuse",
    source: "unix",
    subject: subjectOf(`uid:${uid}`, agentId, undefined),
    ...(delegateId !== undefined && { actors: [subjectOf(delegateId, agentId, undefined)] }),
    decision: "deny",
    reasonCode: reason,
    details: {
      pid,
      executable: executable ?? null,
      selectors: selectors.map(({ type, value }) => `${type}:${value}`),
      suppressed,
    },
  };
}

// Without a delegate the workload acts for itself.
function actorsOf({ delegate, uid }: Delivery, agentId: string | undefined): AuditSubject[] {
  const user: AuditSubject = {
    kind: "user",
    id: `uid:${delegate?.uid ?? uid}`,
    podUid: null,
    node: null,
  };
  return delegate === undefined ? [user] : [user, subjectOf(delegate.id, agentId, delegate.podUid)];
}

function subjectOf(
  id: string,
  agentId: string | undefined,
  podUid: string | undefined,
): AuditSubject {
  return { kind: "workload", id, podUid: podUid ?? null, node: agentId ?? null };
}
