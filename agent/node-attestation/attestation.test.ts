import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Verdict } from "../identity/verdict.ts";
import { type AttestationStep, type AttestationView, nextStep } from "./attestation.ts";

const now = new Date("2026-03-01T12:00:00Z");
const minutes = (count: number): Date => new Date(now.getTime() + count * 60_000);
const fresh = { notAfter: minutes(50), renewAt: minutes(10), reattestable: false };
const due = { ...fresh, renewAt: minutes(-1) };
const lapsed = { ...fresh, notAfter: minutes(-1), renewAt: minutes(-30) };

const attest: AttestationStep = { kind: "attest" };
const renew: AttestationStep = { kind: "renew" };
const blocked = (
  why: (AttestationStep & { kind: "blocked" })["why"],
  probe: "attest" | "renew" | "none",
): AttestationStep => ({ kind: "blocked", why, probe });

type Case = readonly [string, Partial<AttestationView>, AttestationStep];

const cases: readonly Case[] = [
  ["attests without an identity", { canAttest: true }, attest],
  ["waits for something to attest with", {}, blocked("no_credential", "none")],
  ["waits until renewal is due", { identity: fresh }, { kind: "wait", ms: 600_000 }],
  ["renews when it is due", { identity: due, canAttest: true }, renew],
  [
    "attests again where the server wants that instead of renewal",
    { identity: { ...due, reattestable: true }, canAttest: true },
    attest,
  ],
  [
    "renews a reattestable identity if it cannot attest, and lets the server judge",
    { identity: { ...due, reattestable: true } },
    renew,
  ],
  [
    "renews a lapsed identity, since the server may grant it for a while",
    { identity: lapsed },
    renew,
  ],
  [
    "attests again when no server has taken a fresh identity for long",
    { identity: { ...fresh, reattestable: true }, canAttest: true, isCutOff: true },
    attest,
  ],
  [
    "has no other way than to wait when that identity cannot be attested again",
    { identity: fresh, canAttest: true, isCutOff: true },
    { kind: "wait", ms: 600_000 },
  ],
  [
    "keeps quiet when banned, and looks from time to time by attesting",
    { identity: fresh, verdict: "banned", canAttest: true },
    blocked("banned", "attest"),
  ],
  [
    "looks by renewing when it is banned and has nothing to attest with",
    { identity: fresh, verdict: "banned" },
    blocked("banned", "renew"),
  ],
  [
    "cannot look when it is banned and has nothing at all",
    { verdict: "banned" },
    blocked("banned", "none"),
  ],
  [
    "does not renew against the server's word to attest again",
    { identity: fresh, verdict: "must_reattest" },
    blocked("must_reattest", "none"),
  ],
];

describe("nextStep", () => {
  for (const [name, view, expected] of cases) {
    it(name, () => {
      const whole = {
        now,
        identity: undefined,
        verdict: undefined,
        canAttest: false,
        isCutOff: false,
        ...view,
      };
      assert.deepEqual(nextStep(whole), expected);
    });
  }

  const verdicts: readonly Verdict[] = ["expired", "not_attested", "not_active", "must_reattest"];
  for (const verdict of verdicts) {
    it(`attests again when the server says ${verdict}, however fresh the identity is`, () => {
      assert.deepEqual(
        nextStep({ now, identity: fresh, verdict, canAttest: true, isCutOff: false }),
        attest,
      );
    });
  }
});
