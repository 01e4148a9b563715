import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { SpiffeId, TrustDomain } from "../../spiffe/id/spiffe-id.ts";
import { authoriseIssuance } from "./authorise-issuance.ts";
import type {
  IssuanceActor,
  IssuanceContext,
  IssuanceEntry,
  IssuanceReason,
  IssuanceRequest,
} from "./issuance.ts";
import { issuancePolicy } from "./issuance-policy.ts";

const settings = {
  trustDomain: TrustDomain.parse("a.test"),
  x509SvidTtlSeconds: 3600,
  jwtSvidTtlSeconds: 300,
  agentTtlSeconds: 86_400,
  authorityTtlSeconds: 604_800,
  witSvids: false,
  jwtAlgorithms: ["ES256"],
  audienceAlgorithms: new Map(),
} as const;
const policy = issuancePolicy(settings);
const context: IssuanceContext = {
  now: new Date("2026-03-01T12:00:00Z"),
  isBanned: () => false,
  isRevoked: () => false,
  exceptionUntil: () => undefined,
  revocationEpoch: 0n,
};
const id = (path: string): SpiffeId => SpiffeId.parse(`spiffe://a.test${path}`);
const agent: IssuanceActor = { kind: "agent", id: "spiffe://a.test/spire/agent/x", mayMint: false };
const minter: IssuanceActor = { kind: "administrator", id: "uid:0", mayMint: true };
const entry: IssuanceEntry = {
  id: "e1",
  revision: 3,
  spiffeId: "spiffe://a.test/web",
  allowedAudiences: [],
  downstream: false,
};
const workload: IssuanceRequest = {
  profile: "x509_workload",
  subject: id("/web"),
  actor: agent,
  entry,
  dnsNames: [],
  audiences: [],
};
const token: IssuanceRequest = { ...workload, profile: "jwt_workload", audiences: ["db"] };
const mint: IssuanceRequest = {
  profile: "x509_mint",
  subject: id("/web"),
  actor: minter,
  dnsNames: [],
  audiences: [],
};

describe("authoriseIssuance", () => {
  it("allows a workload's SVID with the default lifetime", () => {
    assert.deepEqual(authoriseIssuance(workload, context, policy), {
      decision: "allow",
      reasonCode: "ok",
      message: "",
      ruleIds: [],
      policyRevision: "builtin-1-3600-300-86400-604800",
      maxTtlSeconds: 604_800,
      ttlSeconds: 3600,
      ttlCapped: false,
      audiences: [],
    });
  });

  it("takes the caller's lifetime before the entry's, and caps both", () => {
    const byEntry = { ...workload, entry: { ...entry, ttlSeconds: 120 } };
    assert.equal(authoriseIssuance(byEntry, context, policy).ttlSeconds, 120);
    const byCaller = { ...byEntry, requestedTtlSeconds: 60 };
    assert.equal(authoriseIssuance(byCaller, context, policy).ttlSeconds, 60);
    const tooLong = authoriseIssuance(
      { ...workload, requestedTtlSeconds: 10_000_000 },
      context,
      policy,
    );
    assert.deepEqual(
      [tooLong.ttlSeconds, tooLong.ttlCapped, tooLong.ruleIds],
      [604_800, true, ["ttl.max"]],
    );
  });

  it("ends with the exception under which it is issued", () => {
    const until = new Date("2026-03-01T12:10:00Z");
    const excepted = { ...context, exceptionUntil: () => until };
    assert.equal(authoriseIssuance(workload, excepted, policy).ttlSeconds, 600);
  });

  const renewal: IssuanceRequest = {
    profile: "x509_agent",
    subject: id("/spire/agent/x"),
    actor: agent,
    dnsNames: [],
    audiences: [],
  };
  const downstream: IssuanceRequest = {
    ...workload,
    profile: "x509_downstream_ca",
    actor: { kind: "downstream", id: "spiffe://a.test/web", mayMint: false },
    entry: { ...entry, downstream: true },
  };
  const allowed: readonly { readonly name: string; readonly request: IssuanceRequest }[] = [
    { name: "a workload's token", request: token },
    { name: "an agent's renewal", request: renewal },
    {
      name: "an agent's first SVID",
      request: { ...renewal, actor: { kind: "attesting", id: "10.0.0.1", mayMint: false } },
    },
    {
      name: "the server's own SVID",
      request: {
        ...mint,
        profile: "x509_server",
        subject: id("/spire/server"),
        actor: { kind: "system", id: "server", mayMint: false },
      },
    },
    { name: "a minted SVID", request: mint },
    { name: "a downstream CA", request: downstream },
    {
      name: "an audience that the entry allows",
      request: { ...token, entry: { ...entry, allowedAudiences: ["db", "queue"] } },
    },
    { name: "DNS names", request: { ...workload, dnsNames: ["web", "*.web.a.test", "a_b.c"] } },
  ];
  for (const { name, request } of allowed) {
    it(`allows ${name}`, () => {
      assert.equal(authoriseIssuance(request, context, policy).reasonCode, "ok");
    });
  }

  const denied: readonly {
    readonly name: string;
    readonly request: IssuanceRequest;
    readonly context?: Partial<IssuanceContext>;
    readonly reason: IssuanceReason;
  }[] = [
    {
      name: "a banned agent",
      request: workload,
      context: { isBanned: (agentId) => agentId === agent.id },
      reason: "actor_banned",
    },
    {
      name: "a banned agent that attests again",
      request: { ...renewal, actor: { kind: "attesting", id: "10.0.0.1", mayMint: false } },
      context: { isBanned: (agentId) => agentId === agent.id },
      reason: "actor_banned",
    },
    {
      name: "a revoked identity, before anything else about it",
      request: { ...workload, dnsNames: ["-"] },
      context: { isRevoked: (spiffeId) => spiffeId === "spiffe://a.test/web" },
      reason: "subject_revoked",
    },
    {
      name: "a revoked entry",
      request: workload,
      context: { isRevoked: (_, entryId) => entryId === "e1" },
      reason: "subject_revoked",
    },
    {
      name: "an exception that has ended",
      request: workload,
      context: { exceptionUntil: () => context.now },
      reason: "exception_expired",
    },
    {
      name: "a kind that is switched off",
      request: { ...workload, profile: "wit_workload" },
      reason: "disabled",
    },
    {
      name: "a workload's SVID for others than agents",
      request: { ...workload, actor: minter },
      reason: "actor_kind",
    },
    {
      name: "minting without the role",
      request: { ...mint, actor: { ...minter, mayMint: false } },
      reason: "not_minter",
    },
    {
      name: "minting by an agent",
      request: { ...mint, actor: { ...agent, mayMint: true } },
      reason: "not_minter",
    },
    {
      name: "another agent's SVID",
      request: { ...renewal, subject: id("/spire/agent/y") },
      reason: "actor_kind",
    },
    {
      name: "the server's SVID to an administrator",
      request: { ...mint, profile: "x509_server", subject: id("/spire/server") },
      reason: "actor_kind",
    },
    {
      name: "a workload without an entry",
      request: {
        profile: "x509_workload",
        subject: id("/web"),
        actor: agent,
        dnsNames: [],
        audiences: [],
      },
      reason: "entry_missing",
    },
    {
      name: "an entry for another ID",
      request: { ...workload, subject: id("/other") },
      reason: "entry_mismatch",
    },
    {
      name: "an entry at the very moment it expires",
      request: { ...workload, entry: { ...entry, expiresAt: context.now } },
      reason: "entry_expired",
    },
    {
      name: "a CA for an entry without the flag",
      request: { ...downstream, entry },
      reason: "not_downstream",
    },
    {
      name: "a token without an audience",
      request: { ...token, audiences: [] },
      reason: "audience_missing",
    },
    { name: "an empty audience", request: { ...token, audiences: [""] }, reason: "audience_limit" },
    {
      name: "too many audiences",
      request: { ...token, audiences: Array.from({ length: 33 }, (_, n) => `a${n}`) },
      reason: "audience_limit",
    },
    {
      name: "one audience of several that the entry does not allow",
      request: { ...token, audiences: ["db", "x"], entry: { ...entry, allowedAudiences: ["db"] } },
      reason: "audience_not_allowed",
    },
    {
      name: "another trust domain",
      request: { ...mint, subject: SpiffeId.parse("spiffe://b.test/web") },
      reason: "foreign_trust_domain",
    },
    {
      name: "the ID of the trust domain",
      request: { ...mint, subject: SpiffeId.parse("spiffe://a.test") },
      reason: "root_id",
    },
    {
      name: "a minted agent",
      request: { ...mint, subject: id("/spire/agent/x") },
      reason: "reserved_id",
    },
    {
      name: "an agent outside of its place",
      request: { ...renewal, subject: id("/web"), actor: { ...agent, id: "spiffe://a.test/web" } },
      reason: "agent_id",
    },
    {
      name: "a DNS name that is none",
      request: { ...workload, dnsNames: ["a..b"] },
      reason: "dns_name",
    },
    {
      name: "an address as a DNS name",
      request: { ...workload, dnsNames: ["10.0.0.1"] },
      reason: "dns_name",
    },
    {
      name: "a wildcard for a whole top level",
      request: { ...workload, dnsNames: ["*.test"] },
      reason: "dns_name",
    },
  ];
  for (const { name, request, context: changed, reason } of denied) {
    it(`denies ${name}`, () => {
      const decision = authoriseIssuance(request, { ...context, ...changed }, policy);
      assert.equal(decision.reasonCode, reason);
      assert.equal(decision.decision, "deny");
      assert.equal(decision.maxTtlSeconds, 0);
      assert.equal(decision.ruleIds.length, 1);
      assert.notEqual(decision.message, "");
    });
  }

  it("takes an error for a denial", () => {
    const broken: IssuanceContext = {
      ...context,
      isBanned: () => {
        throw new Error("no view of agents");
      },
    };
    const decision = authoriseIssuance(workload, broken, policy);
    assert.deepEqual([decision.decision, decision.reasonCode], ["deny", "policy_error"]);
    const nothing = authoriseIssuance({ ...workload, requestedTtlSeconds: 0 }, context, policy);
    assert.deepEqual([nothing.decision, nothing.reasonCode], ["deny", "policy_error"]);
  });
});

describe("authoriseIssuance, algorithms", () => {
  const several = issuancePolicy({
    ...settings,
    jwtAlgorithms: ["ES256", "RS256"],
    audienceAlgorithms: new Map([
      ["azure", "RS256"],
      ["modern", "ES256"],
    ]),
  });
  const wants = (jwtAlgorithm: "RS256" | "ES384"): IssuanceRequest => ({
    ...token,
    entry: { ...entry, jwtAlgorithm },
  });
  const cases = [
    { name: "nothing where nobody asks", request: token, algorithm: undefined },
    {
      name: "that of the audience",
      request: { ...token, audiences: ["db", "azure"] },
      algorithm: "RS256",
    },
    { name: "that of the entry", request: wants("RS256"), algorithm: "RS256" },
    {
      name: "that of the audience before that of the entry",
      request: { ...wants("RS256"), audiences: ["modern"] },
      algorithm: "ES256",
    },
  ] as const;
  for (const { name, request, algorithm } of cases) {
    it(`decides on ${name}`, () => {
      const decision = authoriseIssuance(request, context, several);
      assert.deepEqual([decision.reasonCode, decision.jwtAlgorithm], ["ok", algorithm]);
    });
  }

  it("denies a token for audiences that want different ones", () => {
    const request = { ...token, audiences: ["azure", "modern"] };
    const { reasonCode, message } = authoriseIssuance(request, context, several);
    assert.equal(reasonCode, "algorithm_conflict");
    assert.match(message, /RS256 and ES256/);
  });

  it("denies a token of an algorithm that there is no authority for", () => {
    const { reasonCode } = authoriseIssuance(wants("ES384"), context, several);
    assert.equal(reasonCode, "algorithm_unavailable");
  });

  it("has another revision with other settings, the same with the same", () => {
    const again = issuancePolicy({ ...settings, jwtAlgorithms: ["ES256", "RS256"] });
    assert.equal(new Set([policy.revision, several.revision, again.revision]).size, 3);
    assert.equal(issuancePolicy(settings).revision, policy.revision);
  });
});
