import type { AuditCredential } from "../../proto/audit/v1/record.ts";
import { unavailable } from "../../runtime/errors/status-error.ts";
import type { IssuanceDecision } from "../policy/issuance.ts";
import type { IssuanceCall, IssuedToken } from "./issuance.ts";
import { deniedItem, intendedItem, issuanceDraft } from "./issuance-audit.ts";
import { denialError } from "./issuance-error.ts";
import { type AskedFor, Door, type IssuerDeps } from "./issuer-deps.ts";
import { lifetimeFor } from "./lifetime.ts";
import { countIssued } from "./metrics.ts";
import { noAuthority } from "./no-authority.ts";
import { drawTokenId, type TokenLife, type TokenSigner } from "./token-profile.ts";

/** A token to be signed: what it says is made once its name and its life are known. */
export interface TokenOrder extends AskedFor {
  readonly kind: "jwt" | "wit";
  /** The key that the token is bound to, for the audit. */
  readonly spkiDer?: Uint8Array;
  readonly payload: (life: TokenLife, jti: string, audiences: readonly string[]) => object;
}

/**
 * Signs one token: policy, intent, signature, outcome. A token is signed where it stands, since it has nothing to be checked.
 *
 * @param signerFor who signs what was decided; undefined while there is nobody
 */
export async function signToken(
  deps: IssuerDeps,
  call: IssuanceCall,
  order: TokenOrder,
  signerFor: (decision: IssuanceDecision) => TokenSigner | undefined,
): Promise<IssuedToken> {
  const { audit, metrics, random } = deps;
  const { kind } = order;
  const door = new Door(deps);
  const { policy, context } = door;
  const about = { call, policyRevision: policy.revision, revocationEpoch: context.revocationEpoch };
  const decision = door.ask(call, order);
  if (decision.decision === "deny") {
    countIssued(metrics, kind, "denied");
    const action = `svid.${kind}.refuse` as const;
    audit.event(issuanceDraft({ ...about, action }, [deniedItem(order, decision)]));
    throw denialError(decision);
  }
  const signer = signerFor(decision);
  const lifetime = signer && lifetimeFor(decision, signer.authority, context.now);
  if (signer === undefined || lifetime === undefined) {
    throw noAuthority(kind === "jwt" ? "JWT" : "WIT");
  }
  const { authority } = signer;
  const { issuedAt, notAfter: expiresAt, cappedBy } = lifetime;
  const jti = drawTokenId(random);
  const credential: AuditCredential = {
    kind,
    issuer: authority.id,
    serial: null,
    jti,
    audience: decision.audiences,
    expiry: expiresAt.toISOString(),
  };
  const action = `svid.${kind}.issue` as const;
  const item = intendedItem(order, credential, order.spkiDer, decision);
  const intent = audit.intent(issuanceDraft({ ...about, action }, [item]));
  const life = {
    issuedAtSeconds: issuedAt.getTime() / 1000,
    expiresAtSeconds: expiresAt.getTime() / 1000,
  };
  const payload = order.payload(life, jti, decision.audiences);
  const ref = await intent;
  try {
    const token = await signer.sign(payload);
    audit.outcome(ref, { decision: "allow" });
    countIssued(metrics, kind, "issued", cappedBy);
    return {
      spiffeId: order.spiffeId,
      token,
      jti,
      issuedAt,
      expiresAt,
      authorityId: authority.id,
      ...(cappedBy === undefined ? {} : { cappedBy }),
    };
  } catch (cause) {
    audit.outcome(ref, { decision: "failed", reasonCode: "signing_failed" });
    countIssued(metrics, kind, "failed");
    throw unavailable("signing failed, try again", { reason: "signing_failed", cause });
  }
}
