import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { IssuanceDecision } from "../policy/issuance.ts";
import { lifetimeFor } from "./lifetime.ts";

const now = new Date("2026-03-01T12:00:00.789Z");
const at = (time: string): { readonly notAfter: Date } => ({ notAfter: new Date(time) });

function decision(ttlSeconds: number, ttlCapped = false): IssuanceDecision {
  return {
    decision: "allow",
    reasonCode: "ok",
    message: "",
    ruleIds: [],
    policyRevision: "1",
    maxTtlSeconds: 86_400,
    ttlSeconds,
    ttlCapped,
    audiences: [],
  };
}

describe("lifetimeFor", () => {
  it("begins ten seconds ago and ends on a whole second", () => {
    assert.deepEqual(lifetimeFor(decision(3600), at("2026-03-08T12:00:00Z"), now), {
      notBefore: new Date("2026-03-01T11:59:50Z"),
      issuedAt: new Date("2026-03-01T12:00:00Z"),
      notAfter: new Date("2026-03-01T13:00:00Z"),
    });
  });

  it("never outlives the authority, and says so", () => {
    const lifetime = lifetimeFor(decision(3600, true), at("2026-03-01T12:30:00Z"), now);
    assert.equal(lifetime?.notAfter.toISOString(), "2026-03-01T12:30:00.000Z");
    assert.equal(lifetime?.cappedBy, "authority");
  });

  it("says when the policy made it shorter", () => {
    const lifetime = lifetimeFor(decision(60, true), at("2026-03-01T12:30:00Z"), now);
    assert.equal(lifetime?.cappedBy, "policy");
  });

  it("gives none by an authority whose time is up", () => {
    assert.equal(lifetimeFor(decision(60), at("2026-03-01T12:00:00Z"), now), undefined);
  });
});
