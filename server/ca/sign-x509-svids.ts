import type { AuditItem } from "../../proto/audit/v1/record.ts";
import {
  invalidArgument,
  type StatusError,
  unavailable,
} from "../../runtime/errors/status-error.ts";
import type { AuditRef } from "../audit/audit-log.ts";
import type { X509Authority } from "./authority.ts";
import { findCsrKey } from "./csr-key.ts";
import type { IssuanceCall, X509SvidOrder, X509SvidResult } from "./issuance.ts";
import { deniedItem, intendedItem, issuanceDraft, refusedItem } from "./issuance-audit.ts";
import { denialError, refusalError } from "./issuance-error.ts";
import { Door, type IssuerDeps } from "./issuer-deps.ts";
import { type Lifetime, lifetimeFor } from "./lifetime.ts";
import { countIssued } from "./metrics.ts";
import { noAuthority } from "./no-authority.ts";
import { drawSerialNumbers, serialNumberHex } from "./serial-number.ts";
import type { SignedSvid } from "./signing-job.ts";
import type { SvidItem } from "./svid-preparation.ts";

/** Most SVIDs that one call may ask for. */
export const MAX_BATCH = 500;

interface Granted {
  readonly order: X509SvidOrder;
  readonly item: SvidItem;
  readonly lifetime: Lifetime;
  readonly audit: AuditItem;
}

type Judged =
  | { readonly granted: Granted }
  | {
      readonly error: StatusError;
      readonly audit: AuditItem;
      readonly outcome: "denied" | "refused";
    };

/**
 * Signs the X509-SVIDs of one call. In this order: policy; then, side by side, the record of the intent and the checking of requests and
 * building of certificates; when the record is durable, signing; then the record of how it ended.
 */
export async function signX509Svids(
  deps: IssuerDeps,
  call: IssuanceCall,
  orders: readonly X509SvidOrder[],
): Promise<readonly X509SvidResult[]> {
  if (orders.length > MAX_BATCH) {
    throw invalidArgument(`at most ${MAX_BATCH} SVIDs may be asked for at once`);
  }
  const authority = deps.active.value.x509;
  if (authority === undefined) throw noAuthority("X.509");
  const door = new Door(deps);
  const serials = drawSerialNumbers(deps.random, orders.length);
  const judged = orders.map((order, index) =>
    judge(door, call, order, authority, serials[index] ?? new Uint8Array()),
  );
  noteRefusals(deps, door, call, judged);
  const granted = judged.flatMap((one) => ("granted" in one ? [one.granted] : []));
  const signed = await signGranted(deps, door, call, authority, granted);
  let next = 0;
  return judged.map((one): X509SvidResult => {
    if (!("granted" in one)) return { issued: false, error: one.error };
    const result = signed[next++];
    if (result === undefined) throw new Error("a result is missing");
    return toResult(deps, authority, one.granted, result);
  });
}

function judge(
  door: Door,
  call: IssuanceCall,
  order: X509SvidOrder,
  authority: X509Authority,
  serial: Uint8Array,
): Judged {
  const decision = door.ask(call, order);
  if (decision.decision === "deny") {
    return { error: denialError(decision), audit: deniedItem(order, decision), outcome: "denied" };
  }
  const spkiDer = findCsrKey(order.csrDer);
  if (spkiDer === undefined) {
    const error = refusalError("csr_malformed", "not a certificate request");
    return { error, audit: refusedItem(order, "csr_malformed"), outcome: "refused" };
  }
  const lifetime = lifetimeFor(decision, authority, door.context.now);
  if (lifetime === undefined) throw noAuthority("X.509");
  const spiffeId = order.spiffeId.toString();
  const credential = {
    kind: "x509",
    issuer: authority.id,
    serial: serialNumberHex(serial),
    jti: null,
    audience: [],
    expiry: lifetime.notAfter.toISOString(),
  } as const;
  return {
    granted: {
      order,
      lifetime,
      audit: intendedItem(order, credential, spkiDer, decision),
      item: {
        csrDer: order.csrDer,
        spkiDer,
        serial,
        notBeforeMs: lifetime.notBefore.getTime(),
        notAfterMs: lifetime.notAfter.getTime(),
        spiffeId,
        dnsNames: order.dnsNames,
      },
    },
  };
}

function noteRefusals(
  deps: IssuerDeps,
  door: Door,
  call: IssuanceCall,
  judged: readonly Judged[],
): void {
  const refused = judged.flatMap((one) => ("granted" in one ? [] : [one]));
  if (refused.length === 0) return;
  for (const { outcome } of refused) countIssued(deps.metrics, "x509", outcome);
  const items = refused.map(({ audit }) => audit);
  deps.audit.event(issuanceDraft(auditedCall(door, call, "svid.x509.refuse"), items));
}

async function signGranted(
  deps: IssuerDeps,
  door: Door,
  call: IssuanceCall,
  authority: X509Authority,
  granted: readonly Granted[],
): Promise<readonly SignedSvid[]> {
  if (granted.length === 0) return [];
  const { audit, pool } = deps;
  const draft = issuanceDraft(
    auditedCall(door, call, "svid.x509.issue"),
    granted.map((one) => one.audit),
  );
  const job = pool.begin(
    authority,
    granted.map(({ item }) => item),
  );
  let ref: AuditRef;
  try {
    ref = await audit.intent(draft);
  } catch (err) {
    job.drop();
    throw err;
  }
  try {
    const signed = await job.sign();
    audit.outcome(ref, outcomeOf(signed));
    return signed;
  } catch (cause) {
    audit.outcome(ref, { decision: "failed", reasonCode: "signing_failed" });
    for (const _ of granted) countIssued(deps.metrics, "x509", "failed");
    throw unavailable("signing failed, try again", { reason: "signing_failed", cause });
  }
}

/** One word if all went well, else one for each item of the intent. */
function outcomeOf(signed: readonly SignedSvid[]): Parameters<IssuerDeps["audit"]["outcome"]>[1] {
  const items = signed.map(
    (one): AuditItem =>
      "refusal" in one ? { decision: "failed", reasonCode: one.refusal } : { decision: "allow" },
  );
  const failed = items.filter(({ decision }) => decision === "failed");
  const [first] = failed;
  if (first === undefined) return { decision: "allow" };
  if (items.length > 1) {
    return { decision: failed.length === items.length ? "failed" : "allow", batch: items };
  }
  return {
    decision: "failed",
    ...(first.reasonCode == null ? {} : { reasonCode: first.reasonCode }),
  };
}

function toResult(
  deps: IssuerDeps,
  authority: X509Authority,
  { order, item, lifetime }: Granted,
  result: SignedSvid,
): X509SvidResult {
  if ("refusal" in result) {
    countIssued(deps.metrics, "x509", "refused");
    return { issued: false, error: refusalError(result.refusal, result.message) };
  }
  countIssued(deps.metrics, "x509", "issued", lifetime.cappedBy);
  return {
    issued: true,
    svid: {
      spiffeId: order.spiffeId,
      chainDer: [result.certificateDer, ...authority.intermediatesDer],
      serialNumberHex: serialNumberHex(item.serial),
      notBefore: lifetime.notBefore,
      notAfter: lifetime.notAfter,
      authorityId: authority.id,
      ...(lifetime.cappedBy === undefined ? {} : { cappedBy: lifetime.cappedBy }),
    },
  };
}

function auditedCall(
  door: Door,
  call: IssuanceCall,
  action: "svid.x509.issue" | "svid.x509.refuse",
) {
  const { policy, context } = door;
  const { revocationEpoch } = context;
  return { action, call, policyRevision: policy.revision, revocationEpoch };
}
