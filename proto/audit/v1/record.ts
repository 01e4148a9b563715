/** Name of the schema that every line of an audit log carries. */
export const AUDIT_SCHEMA = "assay.audit.v1";

/**
 * One record of an audit log, of a server or an agent (D8 in docs/architecture.md). A line of the log is this object as JSON
 * with the chain's own fields in front. Every field is on every line, null where nothing fills it, so that readers need not
 * guess. Times are RFC 3339 in UTC with milliseconds, 64-bit numbers are decimal strings. There are no secrets: of keys only
 * hashes, of tokens only the jti.
 */
export interface AuditRecord extends AuditFacts {
  readonly schema: typeof AUDIT_SCHEMA;
  /** Position in the writer's chain, from 1 without gaps. */
  readonly seq: number;
  /** SHA-256, hexadecimal, of the line before this one without its line end; 64 zeros before the first. */
  readonly prev: string;
  /** Who keeps this chain: "server/<id>" or the agent's SPIFFE ID. */
  readonly writer: string;
  readonly time: string;
  /**
   * What the record says: something is about to be done ("intent"), an intent has ended ("outcome"), or something happened
   * that needed no intent ("event").
   */
  readonly phase: AuditPhase;
  /** For an outcome: the intent's sequence number. */
  readonly intent: number | null;
  /** For one call that asked for several things: one element each, whose fields stand before the record's own. */
  readonly batch: readonly AuditItem[] | null;
}

/** See {@link AuditRecord.phase}. */
export type AuditPhase = "intent" | "outcome" | "event";

/** What a record says about the world; the rest is the chain's book-keeping. */
export interface AuditFacts {
  readonly requestId: string | null;
  /** What was done or refused, for example "svid.x509.issue", "agent.ban", "authority.activate". */
  readonly action: AuditAction;
  /** What it was done to, where that is neither the subject nor the entry: an authority ID, a file, a trust domain. */
  readonly resource: string | null;
  /** Where the request came from: "unix", "10.1.2.3:4711", or "internal". */
  readonly source: string | null;
  /** Whom it is about. */
  readonly subject: AuditSubject | null;
  /** Who acts for the subject, the nearest to us first. */
  readonly actors: readonly AuditSubject[];
  readonly credential: AuditCredential | null;
  /** SHA-256, hexadecimal, of the SubjectPublicKeyInfo that the credential binds. */
  readonly publicKeySha256: string | null;
  readonly entry: AuditEntryRef | null;
  /** "unknown" ends an intent whose end nobody saw; its credential counts as issued. */
  readonly decision: AuditDecision;
  readonly reasonCode: string | null;
  readonly ruleIds: readonly string[];
  readonly policyRevision: string | null;
  readonly revocationEpoch: string | null;
  readonly exception: string | null;
  readonly purpose: string | null;
  /** What only this action has to tell, for example the fields of an entry before and after. */
  readonly details: Readonly<Record<string, unknown>> | null;
}

/** See {@link AuditFacts.decision}. */
export type AuditDecision = "allow" | "deny" | "failed" | "unknown";

/** A dotted name: noun first, then the act. */
export type AuditAction = `${string}.${string}`;

/** Someone or something that acts or is acted for. */
export interface AuditSubject {
  readonly kind: "user" | "workload" | "service_account" | "node" | "tool" | "system";
  /** SPIFFE ID, "uid:1000", or another name that is unique in its kind. */
  readonly id: string;
  readonly podUid: string | null;
  readonly node: string | null;
}

/** An issued credential, by what names it. */
export interface AuditCredential {
  readonly kind: "x509" | "jwt" | "wit" | "ca";
  /** The authority that signs it: hexadecimal subject key identifier, or key ID. */
  readonly issuer: string;
  /** Lower-case hexadecimal; for "x509" and "ca". */
  readonly serial: string | null;
  /** For "jwt" and "wit". */
  readonly jti: string | null;
  readonly audience: readonly string[];
  readonly expiry: string;
}

/** The registration entry by which a credential is issued, as it stood. */
export interface AuditEntryRef {
  readonly id: string;
  readonly revision: number;
}

/** The fields of one element of a batch. */
export type AuditItem = Partial<
  Pick<
    AuditFacts,
    | "resource"
    | "subject"
    | "credential"
    | "publicKeySha256"
    | "entry"
    | "decision"
    | "reasonCode"
    | "ruleIds"
    | "details"
  >
>;

/** Facts with only what is known; {@link completeFacts} fills in the rest. */
export type AuditDraft = Partial<AuditFacts> &
  Pick<AuditFacts, "action"> & { readonly batch?: readonly AuditItem[] };

/** Every field of a record, in the order in which lines have them. */
export function completeFacts(
  draft: AuditDraft,
): AuditFacts & { readonly batch: readonly AuditItem[] | null } {
  return {
    requestId: draft.requestId ?? null,
    action: draft.action,
    resource: draft.resource ?? null,
    source: draft.source ?? null,
    subject: draft.subject ?? null,
    actors: draft.actors ?? [],
    credential: draft.credential ?? null,
    publicKeySha256: draft.publicKeySha256 ?? null,
    entry: draft.entry ?? null,
    decision: draft.decision ?? "allow",
    reasonCode: draft.reasonCode ?? null,
    ruleIds: draft.ruleIds ?? [],
    policyRevision: draft.policyRevision ?? null,
    revocationEpoch: draft.revocationEpoch ?? null,
    exception: draft.exception ?? null,
    purpose: draft.purpose ?? null,
    details: draft.details ?? null,
    batch: draft.batch ?? null,
  };
}

/** One record for each thing that a record is about: a batch taken apart, any other record as it is. */
export function expandRecord(record: AuditRecord): readonly AuditRecord[] {
  if (record.batch === null) return [record];
  return record.batch.map((item) => ({ ...record, batch: null, ...item }));
}
