import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { PermissionDeniedDetails_Reason as Denied } from "../../proto/gen/spire/api/types/status_pb.ts";
import { FAKE_TRUST_DOMAIN, FakeServerApi } from "../fakes/fake-server-api.ts";
import { eventually } from "../support/eventually.ts";
import { hasPaths, RunningAgent, viewWhere } from "../support/running-agent.ts";
import { TempDir } from "../support/temp-dir.ts";

const web = {
  id: "e1",
  spiffeId: { trustDomain: FAKE_TRUST_DOMAIN, path: "/web" },
  selectors: [{ type: "unix", value: "uid:1000" }],
};

const whenTrue = (what: string, isTrue: () => boolean) =>
  eventually(what, () => (isTrue() ? true : undefined));

describe("an agent and whom it talks to", () => {
  it("speaks to no server whose certificate does not lead to the bundle", async () => {
    await using dir = await TempDir.open();
    await using server = await FakeServerApi.open({ push: true });
    await using other = await FakeServerApi.open({ push: true });
    await using agent = await RunningAgent.open({
      dir,
      servers: [other.address],
      bundlePem: server.bundlePem,
    });
    await whenTrue("a refusal", () =>
      agent.log.messages("warn").includes("Agent identity was not obtained"),
    );
    assert.equal(other.calls.attestedKeys.length, 0);
  });

  it("speaks to no server with another SPIFFE ID than the server's", async () => {
    await using dir = await TempDir.open();
    await using server = await FakeServerApi.open({
      push: true,
      serverId: `spiffe://${FAKE_TRUST_DOMAIN}/spire/server/impostor`,
    });
    await using agent = await RunningAgent.open({
      dir,
      servers: [server.address],
      bundlePem: server.bundlePem,
    });
    await whenTrue("a refusal", () =>
      agent.log.lines.some(({ err }) => JSON.stringify(err ?? "").includes("server verification")),
    );
    assert.equal(server.calls.attestedKeys.length, 0);
  });

  it("goes to another server when one cannot be reached, and when it goes away", async () => {
    await using dir = await TempDir.open();
    await using first = await FakeServerApi.open({ push: true });
    await using second = await FakeServerApi.open({ push: true, authority: first.authority });
    first.put(web);
    second.put(web);
    await using agent = await RunningAgent.open({
      dir,
      servers: ["127.0.0.1:1", first.address, second.address],
      bundlePem: first.bundlePem,
    });
    using stream = agent.stream("uid:1000");
    await viewWhere(stream, hasPaths("/web"));
    const [gone, left] = first.streams.value.length > 0 ? [first, second] : [second, first];
    await gone[Symbol.asyncDispose]();
    await whenTrue("a stream with the other", () => left.streams.value.length > 0);
    left.put({ ...web, id: "e2", spiffeId: { trustDomain: FAKE_TRUST_DOMAIN, path: "/new" } });
    await viewWhere(stream, hasPaths("/web", "/new"));
  });
});

describe("an agent and its identity", () => {
  it("repeats an attestation whose answer was lost with the same key", async () => {
    await using dir = await TempDir.open();
    await using server = await FakeServerApi.open({ push: true });
    server.loseAttestations = 1;
    const options = { dir, servers: [server.address], bundlePem: server.bundlePem };
    await using agent = await RunningAgent.open(options);
    await whenTrue("attestation", () => server.calls.attested === 1);
    const [lost, second] = server.calls.attestedKeys;
    assert.equal(lost, second);
    void agent;
  });

  it("repeats it with the same key after a restart, too", async () => {
    await using dir = await TempDir.open();
    await using server = await FakeServerApi.open({ push: true });
    server.loseAttestations = 1;
    const options = { dir, servers: [server.address], bundlePem: server.bundlePem };
    {
      await using agent = await RunningAgent.open(options);
      await whenTrue("the first attempt", () => server.calls.attestedKeys.length > 0);
      void agent;
    }
    await using agent = await RunningAgent.open(options);
    await whenTrue("attestation", () => server.calls.attested === 1);
    assert.equal(new Set(server.calls.attestedKeys).size, 1);
    void agent;
  });

  it("renews before its SVID ends, on a new connection, without losing the stream's entries", async () => {
    await using dir = await TempDir.open();
    // The life begins ten seconds ago, so that a third of it has passed after two more.
    await using server = await FakeServerApi.open({ push: true, agentLifeMs: 26_000 });
    server.put(web);
    await using agent = await RunningAgent.open({
      dir,
      servers: [server.address],
      bundlePem: server.bundlePem,
    });
    using stream = agent.stream("uid:1000");
    await viewWhere(stream, hasPaths("/web"));
    await whenTrue("a renewal", () => server.calls.renewed > 0);
    await whenTrue("one stream again", () => server.streams.value.length === 1);
    assert.equal(server.calls.attested, 1);
    assert.ok(hasPaths("/web")(stream.feed.value));
  });

  it("attests again when the server asks for it", async () => {
    await using dir = await TempDir.open();
    await using server = await FakeServerApi.open({ push: true, reattestable: true });
    server.put(web);
    const options = { dir, servers: [server.address], bundlePem: server.bundlePem };
    await using agent = await RunningAgent.open({ ...options, token: "t1" });
    using stream = agent.stream("uid:1000");
    await viewWhere(stream, hasPaths("/web"));
    server.denied = Denied.AGENT_MUST_REATTEST;
    server.dropConnections();
    // A join token is spent, so this agent can only wait, and says what is needed.
    await whenTrue("a word to the operator", () =>
      agent.log
        .messages("error")
        .includes("Server wants this agent to attest again, and there is nothing to do it with"),
    );
    assert.ok(hasPaths("/web")(stream.feed.value));
  });

  it("drops everything when it is banned, in the state file too, and keeps running", async () => {
    await using dir = await TempDir.open();
    await using server = await FakeServerApi.open({ push: true });
    server.put(web);
    const options = { dir, servers: [server.address], bundlePem: server.bundlePem };
    {
      await using agent = await RunningAgent.open(options);
      using stream = agent.stream("uid:1000");
      await viewWhere(stream, hasPaths("/web"));
      server.denied = Denied.AGENT_BANNED;
      server.dropConnections();
      const view = await viewWhere(stream, ({ serving }) => serving === "banned");
      assert.deepEqual([view.identities, view.entries, view.bundle], [[], [], undefined]);
      await whenTrue("a word to the operator", () =>
        agent.log
          .messages("error")
          .includes("Server has banned this agent, nothing is served until it is let in again"),
      );
    }
    await using agent = await RunningAgent.open(options);
    using stream = agent.stream("uid:1000");
    assert.equal(stream.feed.value.serving, "banned");
  });

  it("serves again when a ban is lifted", async () => {
    await using dir = await TempDir.open();
    await using server = await FakeServerApi.open({ push: true });
    server.put(web);
    const options = { dir, servers: [server.address], bundlePem: server.bundlePem };
    await using agent = await RunningAgent.open(options);
    using stream = agent.stream("uid:1000");
    await viewWhere(stream, hasPaths("/web"));
    server.denied = Denied.AGENT_BANNED;
    server.dropConnections();
    await viewWhere(stream, ({ serving }) => serving === "banned");
    server.denied = undefined;
    await viewWhere(stream, hasPaths("/web"), 20_000);
  });
});
