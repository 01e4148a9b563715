import type { Verdict } from "../identity/verdict.ts";

/**
 * This folder decides how the agent comes by an identity and keeps it: it attests the node, renews, attests again when the
 * server asks for it, and waits when nothing helps. It never gives up and never ends the process, since a node without a
 * server still has identities to serve.
 */

/** What the decision is made from. */
export interface AttestationView {
  readonly now: Date;
  readonly identity:
    | { readonly notAfter: Date; readonly renewAt: Date; readonly reattestable: boolean }
    | undefined;
  /** The server's last word about the identity. */
  readonly verdict: Verdict | undefined;
  /** Whether the attestor has something to prove this node with. */
  readonly canAttest: boolean;
  /**
   * No server has taken the identity for long. It may be that none can be reached, or that all turn it away before they could
   * say why, for example since its authority was revoked.
   */
  readonly isCutOff: boolean;
}

/** What is to be done next. */
export type AttestationStep =
  | { readonly kind: "attest" }
  | { readonly kind: "renew" }
  | { readonly kind: "wait"; readonly ms: number }
  /** Only a person can help; look again from time to time, with the call that would show that somebody has. */
  | {
      readonly kind: "blocked";
      readonly why: "banned" | "no_credential" | Verdict;
      readonly probe: "attest" | "renew" | "none";
    };

/** Decides the next step. Pure. */
export function nextStep(view: AttestationView): AttestationStep {
  const { identity, verdict, canAttest, isCutOff, now } = view;
  if (verdict === "banned") {
    return { kind: "blocked", why: "banned", probe: probeOf(canAttest, identity !== undefined) };
  }
  if (identity === undefined) {
    return canAttest
      ? { kind: "attest" }
      : { kind: "blocked", why: "no_credential", probe: "none" };
  }
  if (verdict !== undefined) {
    return canAttest
      ? { kind: "attest" }
      : { kind: "blocked", why: verdict, probe: probeOf(false, verdict !== "must_reattest") };
  }
  if (isCutOff && identity.reattestable && canAttest) return { kind: "attest" };
  const dueInMs = identity.renewAt.getTime() - now.getTime();
  if (dueInMs > 0) return { kind: "wait", ms: dueInMs };
  if (identity.reattestable && canAttest) return { kind: "attest" };
  // Also after its end: the server may renew a lapsed identity for a while by proof of its key.
  return { kind: "renew" };
}

function probeOf(canAttest: boolean, hasIdentity: boolean): "attest" | "renew" | "none" {
  if (canAttest) return "attest";
  return hasIdentity ? "renew" : "none";
}
