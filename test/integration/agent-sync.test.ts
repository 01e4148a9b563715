import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  type AgentMessage,
  Acknowledgement_State as State,
} from "../../proto/gen/assay/sync/v1/sync_pb.ts";
import { FAKE_TRUST_DOMAIN, FakeServerApi } from "../fakes/fake-server-api.ts";
import { eventually } from "../support/eventually.ts";
import { callerWith, hasPaths, RunningAgent, viewWhere } from "../support/running-agent.ts";
import { TempDir } from "../support/temp-dir.ts";
import { TestAuthority } from "../support/test-ca.ts";

const entry = (id: string, path: string, ...selectors: string[]) => ({
  id,
  spiffeId: { trustDomain: FAKE_TRUST_DOMAIN, path },
  selectors: selectors.map((value) => ({ type: "unix", value })),
});

const acknowledged = (messages: readonly AgentMessage[], state: State): bigint =>
  messages.reduce((newest, { message }) => {
    if (message.case !== "acknowledgement" || message.value.state !== state) return newest;
    const revision = message.value.cursor?.revision ?? 0n;
    return revision > newest ? revision : newest;
  }, 0n);

describe("an agent with a server that pushes", () => {
  it("attests, and turns an entry into an SVID on the workload's open stream", async () => {
    await using dir = await TempDir.open();
    await using server = await FakeServerApi.open({ push: true });
    server.put(entry("e1", "/web", "uid:1000"));
    await using agent = await RunningAgent.open({
      dir,
      servers: [server.address],
      bundlePem: server.bundlePem,
    });
    using stream = agent.stream("uid:1000", "gid:1000");
    const first = await viewWhere(stream, hasPaths("/web"));
    assert.equal(first.bundle?.trustDomain, FAKE_TRUST_DOMAIN);

    server.put(entry("e2", "/web/admin", "gid:1000"));
    await viewWhere(stream, hasPaths("/web", "/web/admin"));
    server.put(entry("e3", "/other", "uid:1001"));
    server.remove("e1");
    const last = await viewWhere(stream, hasPaths("/web/admin"));
    assert.deepEqual(
      last.entries.map(({ entryId }) => entryId),
      ["e2"],
    );
  });

  it("acknowledges what it applied, and delivery once the stream has been written", async () => {
    await using dir = await TempDir.open();
    await using server = await FakeServerApi.open({ push: true });
    await using agent = await RunningAgent.open({
      dir,
      servers: [server.address],
      bundlePem: server.bundlePem,
    });
    using stream = agent.stream("uid:1000");
    const [session] = await eventually("a stream", () =>
      server.streams.value.length > 0 ? server.streams.value : undefined,
    );
    assert.ok(session);
    server.put(entry("e1", "/web", "uid:1000"));
    const { revision } = server;
    await eventually("the revision to be applied", () =>
      acknowledged(session.messages, State.APPLIED) >= revision ? true : undefined,
    );
    assert.ok(acknowledged(session.messages, State.DELIVERED) < revision);
    await viewWhere(stream, hasPaths("/web"));
    await eventually("the revision to be delivered", () =>
      acknowledged(session.messages, State.DELIVERED) >= revision ? true : undefined,
    );
  });

  it("reports which instance took which SVID, and gives another instance another key", async () => {
    await using dir = await TempDir.open();
    await using server = await FakeServerApi.open({ push: true });
    server.put(entry("e1", "/web", "uid:1000"));
    await using agent = await RunningAgent.open({
      dir,
      servers: [server.address],
      bundlePem: server.bundlePem,
    });
    using first = agent.stream("uid:1000");
    const caller = callerWith("uid:1000");
    using second = agent.agent.views.openX509({
      ...caller,
      instance: { ...caller.instance, containerId: "c2" },
    });
    const [a] = (await viewWhere(first, hasPaths("/web"))).identities;
    const [b] = (await viewWhere(second, hasPaths("/web"))).identities;
    assert.ok(a !== undefined && b !== undefined);
    assert.notDeepEqual(a.privateKeyPkcs8, b.privateKeyPkcs8);
    const bound = await eventually("bindings", () => {
      const all = server.streams.value
        .flatMap(({ messages }) => messages)
        .flatMap(({ message }) => (message.case === "bindings" ? message.value.bindings : []));
      return all.length >= 2 ? all : undefined;
    });
    const bySerial = new Map(bound.map((binding) => [binding.credential, binding.instance]));
    assert.equal(bySerial.get(a.serialNumber), "uid:1000");
    assert.equal(bySerial.get(b.serialNumber), "container:c2");
  });

  it("resumes from an inventory: asks for what it lacks and drops what is not listed", async () => {
    await using dir = await TempDir.open();
    await using server = await FakeServerApi.open({ push: true });
    server.put(entry("e1", "/a", "uid:1000"));
    server.put(entry("e2", "/b", "uid:1000"));
    await using agent = await RunningAgent.open({
      dir,
      servers: [server.address],
      bundlePem: server.bundlePem,
    });
    using stream = agent.stream("uid:1000");
    await viewWhere(stream, hasPaths("/a", "/b"));
    const before = new Set(server.streams.value);
    server.resumeWith = "inventory";
    server.dropConnections();
    await eventually("the stream to end", () =>
      server.streams.value.some((each) => before.has(each)) ? undefined : true,
    );
    server.remove("e1");
    server.put(entry("e3", "/c", "uid:1000"));
    await viewWhere(stream, hasPaths("/b", "/c"));
  });

  it("hands out bundles of trust domains that its entries federate with, and no others", async () => {
    await using dir = await TempDir.open();
    await using server = await FakeServerApi.open({ push: true });
    server.putFederatedBundle("partner.test", TestAuthority.root());
    server.putFederatedBundle("stranger.test", TestAuthority.root());
    server.put({ ...entry("e1", "/web", "uid:1000"), federatesWith: ["partner.test"] });
    await using agent = await RunningAgent.open({
      dir,
      servers: [server.address],
      bundlePem: server.bundlePem,
    });
    using stream = agent.stream("uid:1000");
    const view = await viewWhere(stream, hasPaths("/web"));
    assert.deepEqual([...view.federatedBundles.keys()], ["partner.test"]);
  });

  it("says that it does not know a message kind instead of passing over it", async () => {
    await using dir = await TempDir.open();
    await using server = await FakeServerApi.open({ push: true });
    await using agent = await RunningAgent.open({
      dir,
      servers: [server.address],
      bundlePem: server.bundlePem,
    });
    const [session] = await eventually("a stream", () =>
      server.streams.value.length > 0 ? server.streams.value : undefined,
    );
    server.send({ message: { case: undefined } });
    const answer = await eventually("an answer", () =>
      session?.messages.find(({ message }) => message.case === "unsupported"),
    );
    assert.equal(answer.message.case, "unsupported");
    void agent;
  });

  it("keeps other entries served when the server refuses one", async () => {
    await using dir = await TempDir.open();
    await using server = await FakeServerApi.open({ push: true });
    server.refusedEntries.add("e1");
    server.put(entry("e1", "/refused", "uid:1000"));
    server.put(entry("e2", "/web", "uid:1000"));
    await using agent = await RunningAgent.open({
      dir,
      servers: [server.address],
      bundlePem: server.bundlePem,
    });
    using stream = agent.stream("uid:1000");
    const view = await viewWhere(
      stream,
      ({ pending }) => pending === 0 && stream.feed.value.identities.length > 0,
    );
    assert.ok(hasPaths("/web")(view));
    server.refusedEntries.clear();
    await viewWhere(stream, hasPaths("/web", "/refused"));
  });

  it("asks for a JWT-SVID once for callers at the same time, and serves it from the cache", async () => {
    await using dir = await TempDir.open();
    await using server = await FakeServerApi.open({ push: true });
    server.put(entry("e1", "/web", "uid:1000"));
    await using agent = await RunningAgent.open({
      dir,
      servers: [server.address],
      bundlePem: server.bundlePem,
    });
    using stream = agent.stream("uid:1000");
    await viewWhere(stream, hasPaths("/web"));
    const { signal } = new AbortController();
    const fetch = (audience: string) =>
      agent.agent.views.fetchJwtSvid({
        caller: callerWith("uid:1000"),
        entryId: "e1",
        audience: [audience],
        signal,
      });
    const [a, b] = await Promise.all([fetch("db"), fetch("db")]);
    assert.equal(a.token, b.token);
    assert.equal((await fetch("db")).token, a.token);
    assert.notEqual((await fetch("queue")).token, a.token);
    assert.equal(server.calls.jwtSvids, 2);
  });
});

describe("an agent's hello", () => {
  for (const [maxAge, waits] of [
    ["7d", true],
    ["5m", false],
  ] as const) {
    it(`${waits ? "lets" : "does not let"} heartbeats be rare if it may serve for ${maxAge} without one`, async () => {
      await using dir = await TempDir.open();
      await using server = await FakeServerApi.open({ push: true });
      await using _agent = await RunningAgent.open({
        dir,
        servers: [server.address],
        bundlePem: server.bundlePem,
        yaml: `offline: { maxAge: ${maxAge} }`,
      });
      const hello = await eventually("a hello", async () => {
        const sent = server.streams.value.flatMap(({ messages }) => messages);
        const first = sent.find(({ message }) => message.case === "hello");
        return first?.message.case === "hello" ? first.message.value : undefined;
      });
      assert.equal(hello.capabilities.includes("heartbeat_answers"), waits);
    });
  }
});

describe("an agent's audit", () => {
  it("puts deliveries on record, and ships them in a chain without any secret", async () => {
    await using dir = await TempDir.open();
    await using server = await FakeServerApi.open({ push: true });
    server.put(entry("e1", "/web", "uid:1000"));
    await using agent = await RunningAgent.open({
      dir,
      servers: [server.address],
      bundlePem: server.bundlePem,
    });
    using stream = agent.stream("uid:1000");
    const view = await viewWhere(stream, hasPaths("/web"));
    stream.delivered(view);
    const { token } = await agent.agent.views.fetchJwtSvid({
      caller: callerWith("uid:1000"),
      entryId: "e1",
      audience: ["db"],
      signal: new AbortController().signal,
    });
    const lines = await eventually("the records", () =>
      server.auditLines.length >= 2 ? server.auditLines : undefined,
    );
    const records = lines.map((line) => JSON.parse(line));
    assert.deepEqual(
      records.map(({ seq, action, credential }) => [
        seq,
        action,
        credential.serial ?? credential.jti,
      ]),
      [
        [1, "svid.x509.deliver", view.identities[0]?.serialNumber],
        [2, "svid.jwt.deliver", "jti-1"],
      ],
    );
    assert.equal(records[0].writer, `spiffe://${FAKE_TRUST_DOMAIN}/spire/agent/join_token/token-1`);
    assert.ok(!lines.join("").includes(token));
  });

  it("keeps records while no server is there, and ships them after a restart", async () => {
    await using dir = await TempDir.open();
    await using server = await FakeServerApi.open({ push: true });
    server.put(entry("e1", "/web", "uid:1000"));
    const options = { dir, servers: [server.address], bundlePem: server.bundlePem };
    {
      await using agent = await RunningAgent.open(options);
      using stream = agent.stream("uid:1000");
      await viewWhere(stream, hasPaths("/web"));
    }
    assert.deepEqual(server.auditLines, []);
    await using agent = await RunningAgent.open(options);
    await eventually("the record", () => (server.auditLines.length > 0 ? true : undefined));
    void agent;
  });

  it("is witness to the server's own log, also after a restart", async () => {
    await using dir = await TempDir.open();
    await using server = await FakeServerApi.open({ push: true });
    server.heartbeatSeconds = 1;
    const options = { dir, servers: [server.address], bundlePem: server.bundlePem };
    const head = { writer: "server/1", seq: 7n, hash: Buffer.alloc(32, 1) };
    const heartbeatWith = (auditHead: { writer: string; seq: bigint; hash: Uint8Array }) =>
      server.send({ message: { case: "heartbeat", value: { auditHead } } });
    {
      await using agent = await RunningAgent.open(options);
      await eventually("a stream", () => (server.streams.value.length > 0 ? true : undefined));
      heartbeatWith(head);
      await eventually("the witness", () =>
        server.streams.value
          .flatMap(({ messages }) => messages)
          .find(
            ({ message }) => message.case === "heartbeat" && message.value.witnessed?.seq === 7n,
          ),
      );
      server.put(entry("e1", "/x", "uid:1"));
      server.remove("e1");
      await eventually("the state file", () =>
        acknowledged(server.streams.value[0]?.messages ?? [], State.APPLIED) >= server.revision
          ? true
          : undefined,
      );
      void agent;
    }
    await using agent = await RunningAgent.open(options);
    await eventually("a stream", () => (server.streams.value.length > 0 ? true : undefined));
    heartbeatWith({ ...head, seq: 3n });
    await eventually("the alarm", () =>
      agent.log
        .messages("error")
        .find((msg) => msg === "Audit log of the server is not the one that this agent has seen"),
    );
  });
});
