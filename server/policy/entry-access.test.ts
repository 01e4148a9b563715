import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { IdPattern } from "../../spiffe/id/id-pattern.ts";
import type { Grants, Role } from "../config/roles.ts";
import { decideEntryWrite, type EntryToWrite } from "./entry-access.ts";

const entry: EntryToWrite = {
  spiffeId: { path: "/ns/shop/sa/web" },
  parentId: { path: "/spire/agent/x509pop/1" },
  admin: false,
  downstream: false,
};

function grants(roles: readonly Role[], registrar: Grants["registrar"] = {}): Grants {
  return { roles: new Set(roles), registrar };
}

const scope = {
  ids: [IdPattern.parse("/ns/shop/**")],
  parents: [IdPattern.parse("/spire/agent/x509pop/*")],
};

const cases: readonly {
  readonly name: string;
  readonly grants: Grants;
  readonly entry?: Partial<EntryToWrite>;
  readonly reason?: string;
}[] = [
  { name: "a registrar without a scope", grants: grants(["registrar"]) },
  { name: "a registrar within his scope", grants: grants(["registrar"], scope) },
  {
    name: "a key-admin with the flag admin",
    grants: grants(["registrar", "key-admin"]),
    entry: { admin: true },
  },
  {
    name: "every other role together",
    grants: grants(["viewer", "operator", "minter", "key-admin", "revoker", "auditor"]),
    reason: "no_role",
  },
  {
    name: "nobody under /spire",
    grants: grants(["registrar", "key-admin"]),
    entry: { spiffeId: { path: "/spire/agent/x" } },
    reason: "reserved_id",
  },
  {
    name: "no flag admin without key-admin",
    grants: grants(["registrar"]),
    entry: { admin: true },
    reason: "needs_key_admin",
  },
  {
    name: "no flag downstream without key-admin",
    grants: grants(["registrar"]),
    entry: { downstream: true },
    reason: "needs_key_admin",
  },
  {
    name: "no ID outside of the scope",
    grants: grants(["registrar"], scope),
    entry: { spiffeId: { path: "/ns/bank/sa/web" } },
    reason: "id_outside_scope",
  },
  {
    name: "no parent outside of the scope",
    grants: grants(["registrar"], scope),
    entry: { parentId: { path: "/spire/agent/join_token/1" } },
    reason: "parent_outside_scope",
  },
  {
    name: "a registrar of a cluster, of that cluster",
    grants: grants(["registrar"], { cluster: "east" }),
    entry: { originCluster: "east" },
  },
  {
    name: "no entry of another cluster",
    grants: grants(["registrar"], { cluster: "east" }),
    entry: { originCluster: "west" },
    reason: "origin_outside_scope",
  },
  {
    name: "no entry of a person for the registrar of a cluster",
    grants: grants(["registrar"], { cluster: "east" }),
    reason: "origin_outside_scope",
  },
];

describe("decideEntryWrite", () => {
  for (const { name, grants: granted, entry: changed, reason } of cases) {
    it(`${reason === undefined ? "lets write" : "lets write no entry"}: ${name}`, () => {
      const access = decideEntryWrite(granted, { ...entry, ...changed });
      assert.equal(access.allowed ? undefined : access.reasonCode, reason);
    });
  }
});
