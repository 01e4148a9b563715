import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Status } from "../../runtime/errors/status-error.ts";
import { ALL_GRANTS, NO_GRANTS, type Role } from "../config/roles.ts";
import type { AgentStanding } from "../node-attestation/agent-standing.ts";
import { accessError, decideAccess } from "./access.ts";
import type { AgentCaller, Caller } from "./caller.ts";
import { METHOD_POLICIES, type MethodPolicy } from "./methods.ts";

const policy = (method: string): MethodPolicy => {
  const found = METHOD_POLICIES.get(method);
  assert.ok(found, method);
  return found;
};
const local = (...roles: Role[]): Caller => ({
  kind: "local",
  uid: 1000,
  gid: 1000,
  pid: 7,
  grants: { roles: new Set(roles), registrar: {} },
});
const agent = (standing: AgentStanding): AgentCaller => ({
  kind: "agent",
  id: "spiffe://example.test/spire/agent/x509pop/aa",
  serialNumber: "aa",
  publicKeyHash: "00",
  standing,
  address: "127.0.0.1",
});
const identity: Caller = {
  kind: "identity",
  id: "spiffe://example.test/web",
  serialNumber: "cc",
  address: "127.0.0.1",
  grants: NO_GRANTS,
};
const anonymous: Caller = { kind: "anonymous", address: "127.0.0.1" };

const ATTEST = policy("/spire.api.server.agent.v1.Agent/AttestAgent");
const RENEW = policy("/spire.api.server.agent.v1.Agent/RenewAgent");
const POST_STATUS = policy("/spire.api.server.agent.v1.Agent/PostStatus");
const GET_BUNDLE = policy("/spire.api.server.bundle.v1.Bundle/GetBundle");
const CREATE_ENTRY = policy("/spire.api.server.entry.v1.Entry/BatchCreateEntry");
const DOWNSTREAM_CA = policy("/spire.api.server.svid.v1.SVID/NewDownstreamX509CA");

const reasonOf = (caller: Caller, row: MethodPolicy): string => {
  const decision = decideAccess(caller, row);
  return decision.allowed ? `by ${decision.by}` : decision.reason;
};

describe("decideAccess", () => {
  it("lets anyone attest and read the bundle", () => {
    for (const caller of [anonymous, identity, agent("banned"), local()]) {
      assert.equal(reasonOf(caller, ATTEST), "by anyone");
      assert.equal(reasonOf(caller, GET_BUNDLE), "by anyone");
    }
  });

  it("denies everything else to anonymous callers", () => {
    for (const [method, row] of METHOD_POLICIES) {
      if (row.allow.includes("anyone")) continue;
      assert.equal(reasonOf(anonymous, row), "unauthenticated", method);
    }
  });

  const standings: readonly [AgentStanding, string][] = [
    ["current", "by agent"],
    ["next", "by agent"],
    ["expired", "agent_expired"],
    ["superseded", "agent_not_active"],
    ["unknown", "agent_not_attested"],
    ["banned", "agent_banned"],
  ];
  for (const [standing, expected] of standings) {
    it(`answers an agent that is ${standing} with ${expected}`, () => {
      assert.equal(reasonOf(agent(standing), POST_STATUS), expected);
    });
  }

  it("lets an agent whose SVID has run out renew, and nothing else", () => {
    for (const [method, row] of METHOD_POLICIES) {
      if (row.allow.includes("anyone")) continue;
      const isAllowed = decideAccess(agent("expired"), row).allowed;
      assert.equal(isAllowed, row === RENEW, method);
    }
    assert.equal(reasonOf(agent("banned"), RENEW), "agent_banned");
  });

  it("keeps agents away from administration", () => {
    assert.equal(reasonOf(agent("current"), CREATE_ENTRY), "not_for_agents");
  });

  it("keeps administrators away from what only agents do", () => {
    assert.equal(reasonOf({ ...local(), grants: ALL_GRANTS } as Caller, RENEW), "agents_only");
  });

  it("asks for the role and names it", () => {
    assert.equal(reasonOf(local("registrar"), CREATE_ENTRY), "by registrar");
    const decision = decideAccess(local("viewer"), CREATE_ENTRY);
    assert.deepEqual(decision, {
      allowed: false,
      reason: "no_role",
      message: "uid:1000 has none of the roles registrar",
    });
  });

  it("lets a nested server ask for its authority, and nobody else", () => {
    assert.equal(
      reasonOf({ ...identity, downstreamEntryId: "e1" }, DOWNSTREAM_CA),
      "by downstream",
    );
    assert.equal(reasonOf(identity, DOWNSTREAM_CA), "downstream_only");
  });

  it("keeps minting to the minter", () => {
    for (const [method, row] of METHOD_POLICIES) {
      if (!method.includes("/Mint")) continue;
      assert.deepEqual(row.allow, ["minter"], method);
    }
  });
});

describe("accessError", () => {
  const details: readonly [Parameters<typeof accessError>[0], number][] = [
    ["agent_expired", 1],
    ["agent_not_attested", 2],
    ["agent_not_active", 3],
    ["agent_banned", 4],
    ["agent_must_reattest", 5],
  ];
  for (const [reason, number] of details) {
    it(`tells agents ${reason} by the detail they act upon`, () => {
      const err = accessError(reason, "no");
      assert.equal(err.code, Status.PERMISSION_DENIED);
      assert.deepEqual(err.details, [
        {
          typeUrl: "type.googleapis.com/spire.api.types.PermissionDeniedDetails",
          value: new Uint8Array([8, number]),
        },
      ]);
    });
  }

  it("has no such detail for other callers", () => {
    const err = accessError("no_role", "no");
    assert.deepEqual([err.code, err.reason, err.details], [7, "no_role", []]);
  });
});
