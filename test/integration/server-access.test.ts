// Who may call what, and how often, over real sockets.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Admin } from "../../proto/gen/assay/admin/v1/admin_pb.ts";
import { Health } from "../../proto/gen/grpc/health/v1/health_pb.ts";
import { Agent } from "../../proto/gen/spire/api/server/agent/v1/agent_pb.ts";
import { Bundle } from "../../proto/gen/spire/api/server/bundle/v1/bundle_pb.ts";
import { Entry } from "../../proto/gen/spire/api/server/entry/v1/entry_pb.ts";
import { SVID } from "../../proto/gen/spire/api/server/svid/v1/svid_pb.ts";
import { Status, StatusError } from "../../runtime/errors/status-error.ts";
import { retryDelayMs } from "../../runtime/rpc/status-details.ts";
import { CALL, csrOf, newKey, RunningServer, TRUST_DOMAIN } from "../support/running-server.ts";

const UID = process.geteuid?.() ?? 0;
const id = (path: string) => ({ trustDomain: TRUST_DOMAIN, path });
const entry = (path: string) => ({
  spiffeId: id(path),
  parentId: id("/spire/agent/x509pop/node"),
  selectors: [{ type: "unix", value: "uid:1000" }],
});

describe("access", () => {
  it("lets anybody on the network attest, read the bundle and see health, and nothing else", async () => {
    await using server = await RunningServer.open();
    using anonymous = server.connect();
    await anonymous.client(Bundle).getBundle({}, CALL);
    await anonymous.client(Health).check({}, CALL);
    for (const call of [
      () => anonymous.client(Agent).listAgents({}, CALL),
      () => anonymous.client(Entry).listEntries({}, CALL),
      () => anonymous.client(Agent).renewAgent({}, CALL),
      () => anonymous.client(Admin).reload({}, CALL),
    ]) {
      await assert.rejects(call(), {
        code: Status.UNAUTHENTICATED,
        reason: "unauthenticated",
        message: "this method needs a client certificate",
      });
    }
  });

  it("keeps agents to what agents do", async () => {
    await using server = await RunningServer.open();
    const { identity } = await server.joinAgent();
    using agent = server.connect(identity);
    for (const call of [
      () => agent.client(Entry).batchCreateEntry({ entries: [entry("/x")] }, CALL),
      () => agent.client(SVID).mintJWTSVID({ id: id("/x"), audience: ["a"] }, CALL),
      () => agent.client(Agent).createJoinToken({ ttl: 60 }, CALL),
    ]) {
      await assert.rejects(call(), { code: Status.PERMISSION_DENIED, reason: "not_for_agents" });
    }
  });

  it("gives an identity of the trust domain no rights by itself", async () => {
    await using server = await RunningServer.open();
    using workload = server.connect(await server.mint("/ns/shop/web"));
    await assert.rejects(workload.client(Entry).listEntries({}, CALL), {
      code: Status.PERMISSION_DENIED,
      reason: "no_role",
    });
    await workload.client(Bundle).getBundle({}, CALL);
  });

  it("gives identities the roles that the configuration maps to them, from the next call on", async () => {
    const operator = `spiffe://${TRUST_DOMAIN}/ops/alice`;
    await using server = await RunningServer.open({
      operators: [{ id: operator, roles: ["viewer"] }],
    });
    using alice = server.connect(await server.mint("/ops/alice"));
    await alice.client(Entry).listEntries({}, CALL);
    const create = () => alice.client(Entry).batchCreateEntry({ entries: [entry("/x")] }, CALL);
    await assert.rejects(create(), {
      reason: "no_role",
      message: "this identity has none of the roles registrar",
    });
    server.settings = { operators: [{ id: operator, roles: ["registrar"] }] };
    await server.server.reload({ dryRun: false });
    assert.equal((await create()).results[0]?.status?.code, Status.OK);
    await assert.rejects(alice.client(Agent).createJoinToken({ ttl: 60 }, CALL), {
      reason: "no_role",
    });
  });

  it("gives identities of admin entries every role, as stock clients expect", async () => {
    await using server = await RunningServer.open();
    const identity = await server.mint("/controller");
    using controller = server.connect(identity);
    const list = () => controller.client(Entry).listEntries({}, CALL);
    await assert.rejects(list(), { reason: "no_role" });
    using admin = server.admin();
    const { results } = await admin
      .client(Entry)
      .batchCreateEntry({ entries: [{ ...entry("/controller"), admin: true }] }, CALL);
    assert.equal((await list()).entries.length, 1);
    await admin.client(Entry).batchDeleteEntry({ ids: [results[0]?.entry?.id ?? ""] }, CALL);
    await assert.rejects(list(), { reason: "no_role" });
  });

  it("holds a local user to the roles and the scope that were granted", async () => {
    await using server = await RunningServer.open();
    server.settings = {
      adminSocket: {
        path: server.dir.join("admin.sock"),
        users: [{ uid: UID, roles: ["registrar"], registrar: { ids: ["/ns/shop/**"] } }],
      },
    };
    await server.server.reload({ dryRun: false });
    using admin = server.admin();
    const entries = [entry("/ns/shop/web"), entry("/ns/bank/web")];
    const { results } = await admin.client(Entry).batchCreateEntry({ entries }, CALL);
    assert.deepEqual(
      results.map(({ status }) => [status?.code, status?.message]),
      [
        [Status.OK, "OK"],
        [Status.PERMISSION_DENIED, "the SPIFFE ID is outside of the registrar's scope"],
      ],
    );
    await assert.rejects(admin.client(SVID).mintX509SVID({ csr: csrOf(newKey()) }, CALL), {
      reason: "no_role",
      message: `uid:${UID} has none of the roles minter`,
    });
  });

  it("lets no other user of the machine onto the admin socket", async () => {
    await using server = await RunningServer.open();
    server.settings = {
      adminSocket: {
        path: server.dir.join("admin.sock"),
        users: [{ uid: 4_000_000_000, roles: ["all"] }],
      },
    };
    await server.server.reload({ dryRun: false });
    using admin = server.admin();
    await assert.rejects(admin.client(Health).check({}, CALL), { code: Status.UNAVAILABLE });
    assert.ok(server.log.messages("warn").includes("Refused a user on the admin socket"));
  });

  it("answers whether somebody may, without doing it", async () => {
    await using server = await RunningServer.open();
    using admin = server.admin();
    const can = async (who: string, verb: string) => {
      const { allowed, reasonCode } = await admin.client(Admin).checkAccess({ who, verb }, CALL);
      return [allowed, reasonCode];
    };
    assert.deepEqual(await can("", "entry.BatchCreateEntry"), [true, "ok"]);
    assert.deepEqual(await can("anonymous", "agent.ListAgents"), [false, "unauthenticated"]);
    assert.deepEqual(await can("uid:4000000000", "agent.BanAgent"), [false, "no_role"]);
  });

  it("records who tried to change something without the right to", async () => {
    await using server = await RunningServer.open();
    const { id: agentId, identity } = await server.joinAgent();
    using agent = server.connect(identity);
    await assert.rejects(agent.client(Entry).batchCreateEntry({ entries: [entry("/x")] }, CALL));
    using admin = server.admin();
    const lines: Record<string, unknown>[] = [];
    for await (const { line } of admin.client(Admin).listAudit({ action: "entry.create" }, CALL)) {
      lines.push(JSON.parse(Buffer.from(line).toString("utf8")));
    }
    assert.deepEqual(
      lines.map(({ decision, reasonCode, actors, phase }) => [decision, reasonCode, actors, phase]),
      [
        [
          "deny",
          "not_for_agents",
          [{ kind: "node", id: agentId, podUid: null, node: null }],
          "event",
        ],
      ],
    );
  });

  it("records a change before it is made, and how it ended", async () => {
    await using server = await RunningServer.open();
    await server.createEntries(`spiffe://${TRUST_DOMAIN}/spire/agent/x509pop/node`, "/a", "/b");
    using admin = server.admin();
    const lines: Record<string, unknown>[] = [];
    for await (const { line } of admin.client(Admin).listAudit({ action: "entry.create" }, CALL)) {
      lines.push(JSON.parse(Buffer.from(line).toString("utf8")));
    }
    const [intent = {}, outcome] = lines;
    assert.deepEqual([intent["phase"], outcome?.["phase"]], ["intent", "outcome"]);
    assert.equal(outcome?.["intent"], intent["seq"]);
    assert.deepEqual(intent["actors"], [
      { kind: "user", id: `uid:${UID}`, podUid: null, node: null },
    ]);
    assert.deepEqual(
      (intent["batch"] as { resource: string }[]).map(({ resource }) => resource),
      [`spiffe://${TRUST_DOMAIN}/a`, `spiffe://${TRUST_DOMAIN}/b`],
    );
  });
});

describe("rate limits", () => {
  it("tell a caller when to come back, and others do not notice", async () => {
    await using server = await RunningServer.open({
      limits: { rates: { status: { perSecond: 0.01, burst: 2 } } },
    });
    const [one, other] = [await server.joinAgent(), await server.joinAgent()];
    using greedy = server.connect(one.identity);
    using modest = server.connect(other.identity);
    const report = () => greedy.client(Agent).postStatus({}, CALL);
    await report();
    await report();
    await assert.rejects(report(), (err) => {
      assert.ok(err instanceof StatusError);
      assert.equal(err.code, Status.RESOURCE_EXHAUSTED);
      assert.equal(err.reason, "rate_limited");
      const wait = retryDelayMs(err) ?? 0;
      assert.ok(wait > 10_000 && wait <= 100_000, `${wait} ms`);
      return true;
    });
    await modest.client(Agent).postStatus({}, CALL);
  });

  it("count a batch of SVIDs by its size", async () => {
    await using server = await RunningServer.open({
      limits: { rates: { sign_x509: { perSecond: 0.01, burst: 10 } } },
    });
    const { id: agentId, identity } = await server.joinAgent();
    const [entryId = ""] = await server.createEntries(agentId, "/web");
    using agent = server.connect(identity);
    const order = (count: number) => {
      const params = Array.from({ length: count }, () => ({ entryId, csr: csrOf(newKey()) }));
      return agent.client(SVID).batchNewX509SVID({ params }, CALL);
    };
    assert.equal((await order(8)).results.length, 8);
    await assert.rejects(order(8), { code: Status.RESOURCE_EXHAUSTED, reason: "rate_limited" });
    await assert.rejects(order(11), {
      code: Status.RESOURCE_EXHAUSTED,
      reason: "batch_too_large",
      message: "a batch of 11 is larger than the limit for sign_x509, 10 at once",
    });
  });

  it("follow a reload", async () => {
    const limits = (burst: number) => ({
      limits: { rates: { status: { perSecond: 0.01, burst } } },
    });
    await using server = await RunningServer.open(limits(1));
    const { identity } = await server.joinAgent();
    using agent = server.connect(identity);
    await agent.client(Agent).postStatus({}, CALL);
    await assert.rejects(agent.client(Agent).postStatus({}, CALL), { reason: "rate_limited" });
    server.settings = { limits: { rates: { status: { perSecond: 10_000, burst: 100 } } } };
    using admin = server.admin();
    const { applied } = await admin.client(Admin).reload({}, CALL);
    assert.deepEqual(
      applied.map(({ path, before, after }) => [path, before, after]),
      [
        ["limits.rates.status.perSecond", "0.01", "10000"],
        ["limits.rates.status.burst", "1", "100"],
      ],
    );
    await agent.client(Agent).postStatus({}, CALL);
  });
});
