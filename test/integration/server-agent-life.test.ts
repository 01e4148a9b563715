// What becomes of an attested agent: renewal, ban, eviction, the end of its certificate and of its authority.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { agentDenialReason } from "../../proto/convert/status.ts";
import { AgentSync } from "../../proto/gen/assay/sync/v1/sync_pb.ts";
import { Agent } from "../../proto/gen/spire/api/server/agent/v1/agent_pb.ts";
import { LocalAuthority } from "../../proto/gen/spire/api/server/localauthority/v1/localauthority_pb.ts";
import { SVID } from "../../proto/gen/spire/api/server/svid/v1/svid_pb.ts";
import { PermissionDeniedDetails_Reason as Reason } from "../../proto/gen/spire/api/types/status_pb.ts";
import { Status, StatusError } from "../../runtime/errors/status-error.ts";
import { SpiffeId } from "../../spiffe/id/spiffe-id.ts";
import {
  CALL,
  type Connection,
  csrOf,
  type Identity,
  newKey,
  RunningServer,
} from "../support/running-server.ts";

const HOUR = 3_600_000;
const wireId = (id: string) => {
  const { trustDomain, path } = SpiffeId.parse(id);
  return { trustDomain: trustDomain.name, path };
};

/** Asks for something that every agent in good standing gets. */
const report = (connection: Connection) => connection.client(Agent).postStatus({}, CALL);

/** What the agent is told to do, on a connection of its own. */
const denialOf = async (server: RunningServer, identity: Identity): Promise<Reason | undefined> => {
  using connection = server.connect(identity);
  try {
    await report(connection);
    return undefined;
  } catch (err) {
    assert.ok(err instanceof StatusError);
    assert.equal(err.code, Status.PERMISSION_DENIED);
    return agentDenialReason(err);
  }
};

const renew = async (connection: Connection): Promise<Identity> => {
  const privateKey = newKey();
  const params = { csr: csrOf(privateKey) };
  const { svid } = await connection.client(Agent).renewAgent({ params }, CALL);
  return { chainDer: svid?.certChain ?? [], privateKey };
};

/** Opens a stream, and tells with what code it ended: the caller has to see that its connection is gone. */
const openStream = async (connection: Connection): Promise<{ readonly ended: Promise<number> }> => {
  async function* hello() {
    yield { message: { case: "hello" as const, value: { protocolMin: 1, protocolMax: 1 } } };
    await new Promise(() => {});
  }
  const messages = connection.client(AgentSync).sync(hello(), CALL)[Symbol.asyncIterator]();
  await messages.next();
  const untilEnd = async (): Promise<number> => {
    try {
      while ((await messages.next()).done !== true);
      return Status.OK;
    } catch (err) {
      if (err instanceof StatusError) return err.code;
      throw err;
    }
  };
  return { ended: untilEnd() };
};

describe("an agent's renewal", () => {
  it("keeps the old SVID until the new one is used for the first time", async () => {
    await using server = await RunningServer.open();
    const { identity } = await server.joinAgent();
    using old = server.connect(identity);
    const renewed = await renew(old);
    await report(old);
    using next = server.connect(renewed);
    await report(next);
    await report(next);
    assert.equal(await denialOf(server, identity), Reason.AGENT_NOT_ACTIVE);
    // And again, from the new one.
    const third = await renew(next);
    assert.equal(await denialOf(server, third), undefined);
  });

  it("costs nothing when its answer is lost", async () => {
    await using server = await RunningServer.open();
    const { identity } = await server.joinAgent();
    using old = server.connect(identity);
    const lost = await renew(old);
    const kept = await renew(old);
    assert.equal(await denialOf(server, lost), Reason.AGENT_NOT_ACTIVE);
    assert.equal(await denialOf(server, kept), undefined);
  });

  it("is possible after the end within the time of grace, by whoever holds the key", async () => {
    await using server = await RunningServer.open({ agents: { renewGrace: "2h" } });
    const { identity } = await server.joinAgent();
    server.clock.shift(24 * HOUR + HOUR);
    assert.equal(await denialOf(server, identity), Reason.AGENT_EXPIRED);
    using lapsed = server.connect(identity);
    const renewed = await renew(lapsed);
    assert.equal(await denialOf(server, renewed), undefined);
  });

  it("is over with the time of grace: such an agent is not even let in", async () => {
    await using server = await RunningServer.open({ agents: { renewGrace: "2h" } });
    const { identity } = await server.joinAgent();
    server.clock.shift(24 * HOUR + 3 * HOUR);
    using lapsed = server.connect(identity);
    await assert.rejects(renew(lapsed), { code: Status.UNAVAILABLE });
  });

  it("is refused to a lapsed agent that was banned or evicted", async () => {
    await using server = await RunningServer.open();
    using admin = server.admin();
    const banned = await server.joinAgent();
    const evicted = await server.joinAgent();
    server.clock.shift(25 * HOUR);
    await admin.client(Agent).banAgent({ id: wireId(banned.id) }, CALL);
    await admin.client(Agent).deleteAgent({ id: wireId(evicted.id) }, CALL);
    using one = server.connect(banned.identity);
    await assert.rejects(renew(one), (err) => {
      assert.ok(err instanceof StatusError);
      return agentDenialReason(err) === Reason.AGENT_BANNED;
    });
    using other = server.connect(evicted.identity);
    await assert.rejects(renew(other), (err) => {
      assert.ok(err instanceof StatusError);
      return agentDenialReason(err) === Reason.AGENT_NOT_ATTESTED;
    });
  });
});

describe("an agent's connections", () => {
  it("end in the change that bans it, with everything that is under way", async () => {
    await using server = await RunningServer.open();
    using admin = server.admin();
    const { id, identity } = await server.joinAgent();
    using agent = server.connect(identity);
    const { ended } = await openStream(agent);
    await admin.client(Agent).banAgent({ id: wireId(id) }, CALL);
    assert.equal(await ended, Status.UNAVAILABLE);
    assert.equal(await denialOf(server, identity), Reason.AGENT_BANNED);
    // Nothing is issued to it any more, by whatever door.
    using again = server.connect(identity);
    const order = { params: [{ entryId: "x", csr: csrOf(newKey()) }] };
    await assert.rejects(again.client(SVID).batchNewX509SVID(order, CALL), {
      code: Status.PERMISSION_DENIED,
    });
  });

  it("end in the change that evicts it", async () => {
    await using server = await RunningServer.open();
    using admin = server.admin();
    const { id, identity } = await server.joinAgent();
    using agent = server.connect(identity);
    await report(agent);
    const { ended } = await openStream(agent);
    await admin.client(Agent).deleteAgent({ id: wireId(id) }, CALL);
    assert.equal(await ended, Status.UNAVAILABLE);
    assert.equal(await denialOf(server, identity), Reason.AGENT_NOT_ATTESTED);
  });

  it("end when a newer SVID of it is used", async () => {
    await using server = await RunningServer.open();
    const { identity } = await server.joinAgent();
    using old = server.connect(identity);
    await report(old);
    const { ended } = await openStream(old);
    const renewed = await renew(old);
    using next = server.connect(renewed);
    await report(next);
    assert.equal(await ended, Status.UNAVAILABLE);
    await report(next);
  });

  it("end when its authority is revoked, and the server's own SVID is another by then", async () => {
    await using server = await RunningServer.open();
    using admin = server.admin();
    const { identity } = await server.joinAgent();
    using agent = server.connect(identity);
    await report(agent);
    const { ended } = await openStream(agent);
    const authorities = admin.client(LocalAuthority);
    const { active: old } = await authorities.getX509AuthorityState({}, CALL);
    const { preparedAuthority } = await authorities.prepareX509Authority({}, CALL);
    const authorityId = preparedAuthority?.authorityId ?? "";
    await authorities.activateX509Authority({ authorityId }, CALL);
    await authorities.taintX509Authority({ authorityId: old?.authorityId ?? "" }, CALL);
    await authorities.revokeX509Authority({ authorityId: old?.authorityId ?? "" }, CALL);
    assert.equal(await ended, Status.UNAVAILABLE);
    using refused = server.connect(identity);
    await assert.rejects(report(refused), { code: Status.UNAVAILABLE });
    // A new agent gets an SVID from the new authority, from a server that shows one too.
    const { identity: fresh } = await server.joinAgent();
    assert.equal(await denialOf(server, fresh), undefined);
  });

  it("end with its certificate, even in the time of grace", async () => {
    await using server = await RunningServer.open();
    const { identity } = await server.joinAgent();
    using agent = server.connect(identity);
    await report(agent);
    const { ended } = await openStream(agent);
    server.clock.shift(25 * HOUR);
    assert.equal(await ended, Status.UNAVAILABLE);
  });
});
