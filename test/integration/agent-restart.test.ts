import assert from "node:assert/strict";
import { chmod, copyFile, readFile, stat, writeFile } from "node:fs/promises";
import { describe, it } from "node:test";
import { fromBinary } from "@bufbuild/protobuf";
import { AgentStateSchema } from "../../proto/gen/assay/agent/v1/state_pb.ts";
import { FAKE_TRUST_DOMAIN, FakeServerApi } from "../fakes/fake-server-api.ts";
import { eventually } from "../support/eventually.ts";
import {
  callerWith,
  hasPaths,
  RunningAgent,
  type RunningAgentOptions,
  viewWhere,
} from "../support/running-agent.ts";
import { TempDir } from "../support/temp-dir.ts";

const entry = (id: string, path: string, ...selectors: string[]) => ({
  id,
  spiffeId: { trustDomain: FAKE_TRUST_DOMAIN, path },
  selectors: selectors.map((value) => ({ type: "unix", value })),
});

/** Runs an agent until it serves `/web` (and `/gone`) from a server that has gone when this returns. */
async function afterServing(dir: TempDir, more: Partial<RunningAgentOptions> = {}) {
  await using server = await FakeServerApi.open({ push: true });
  server.put(entry("e1", "/web", "uid:1000"));
  const options = { dir, servers: [server.address], bundlePem: server.bundlePem, ...more };
  await using agent = await RunningAgent.open(options);
  using stream = agent.stream("uid:1000");
  const view = await viewWhere(stream, hasPaths("/web"));
  const serials = view.identities.map(({ serialNumber }) => serialNumber);
  await eventually("the state file", () => holdsSvid(dir, serials[0] ?? ""));
  return { options, serials };
}

async function holdsSvid(dir: TempDir, serial: string): Promise<true | undefined> {
  const content = await readFile(dir.join("state"));
  const state = fromBinary(AgentStateSchema, content.subarray(52));
  const held = state.x509Svids.some(
    ({ instance, certificateChain }) =>
      instance !== "" && Buffer.from(certificateChain).includes(Buffer.from(serial, "hex")),
  );
  return held ? true : undefined;
}

describe("an agent that restarts with its server away", () => {
  it("serves the same SVIDs", async () => {
    await using dir = await TempDir.open();
    const { options, serials } = await afterServing(dir);
    await using agent = await RunningAgent.open(options);
    using stream = agent.stream("uid:1000");
    const view = await viewWhere(stream, hasPaths("/web"));
    assert.deepEqual(
      view.identities.map(({ serialNumber }) => serialNumber),
      serials,
    );
    assert.equal(view.bundle?.trustDomain, FAKE_TRUST_DOMAIN);
  });

  it("has kept its file to itself", async () => {
    await using dir = await TempDir.open();
    await afterServing(dir);
    assert.equal((await stat(dir.join("state"))).mode & 0o777, 0o600);
  });

  it("serves nothing from a file that was cut off, and says so", async () => {
    await using dir = await TempDir.open();
    const { options } = await afterServing(dir);
    const content = await readFile(dir.join("state"));
    await writeFile(dir.join("state"), content.subarray(0, content.length - 1));
    await using agent = await RunningAgent.open(options);
    using stream = agent.stream("uid:1000");
    assert.equal(stream.feed.value.serving, "starting");
    assert.ok(agent.log.messages("warn").includes("State file is not used, starting afresh"));
  });

  it("serves nothing from a file of another node", async () => {
    await using dir = await TempDir.open();
    const { options } = await afterServing(dir);
    await using agent = await RunningAgent.open({
      ...options,
      nodeFacts: { machineId: "machine-2", bootId: "boot-1" },
    });
    using stream = agent.stream("uid:1000");
    assert.equal(stream.feed.value.serving, "starting");
    const line = agent.log.lines.find(({ problem }) => problem !== undefined);
    assert.equal(line?.["problem"], "it was written on another node");
  });

  it("does not start with a file that others may read", async () => {
    await using dir = await TempDir.open();
    const { options } = await afterServing(dir);
    await chmod(dir.join("state"), 0o640);
    await assert.rejects(RunningAgent.open(options), {
      message: `state file ${dir.join("state")}: others may use it; its mode must be 0600`,
    });
  });

  it("ends serving when it has been without a server for longer than it may", async () => {
    await using dir = await TempDir.open();
    const { options } = await afterServing(dir);
    await using agent = await RunningAgent.open({ ...options, yaml: "offline: { maxAge: 0s }" });
    using stream = agent.stream("uid:1000");
    assert.equal(stream.feed.value.serving, "offline_too_long");
    assert.deepEqual(stream.feed.value.identities, []);
  });

  it("does not put a state file on a disk unless it was told to", async () => {
    await using dir = await TempDir.open();
    const options = { dir, servers: ["127.0.0.1:1"], bundlePem: "x" };
    const refused = RunningAgent.open({ ...options, stateOnDisk: false });
    await assert.rejects(refused, /state\.path: .* lies on a disk/);
  });
});

describe("an agent that restarts beside its server", () => {
  it("resumes without attesting again, with the SVIDs that it had", async () => {
    await using dir = await TempDir.open();
    await using server = await FakeServerApi.open({ push: true });
    server.put(entry("e1", "/web", "uid:1000"));
    const options = { dir, servers: [server.address], bundlePem: server.bundlePem };
    let serial = "";
    {
      await using agent = await RunningAgent.open(options);
      using stream = agent.stream("uid:1000");
      const view = await viewWhere(stream, hasPaths("/web"));
      serial = view.identities[0]?.serialNumber ?? "";
      await eventually("the state file", () => holdsSvid(dir, serial));
    }
    await using agent = await RunningAgent.open(options);
    using stream = agent.stream("uid:1000");
    const view = await viewWhere(stream, hasPaths("/web"));
    assert.equal(view.identities[0]?.serialNumber, serial);
    await eventually("a stream", () => (server.streams.value.length > 0 ? true : undefined));
    assert.equal(server.calls.attested, 1);
  });

  it("drops what went while it was away, also when an older file was put back", async () => {
    await using dir = await TempDir.open();
    await using server = await FakeServerApi.open({ push: true });
    server.put(entry("e1", "/web", "uid:1000"));
    server.put(entry("e2", "/gone", "uid:1000"));
    const options = { dir, servers: [server.address], bundlePem: server.bundlePem };
    {
      await using agent = await RunningAgent.open(options);
      using stream = agent.stream("uid:1000");
      await viewWhere(stream, hasPaths("/web", "/gone"));
      await eventually("the state file", () => holdsSvid(dir, ""));
      await copyFile(dir.join("state"), dir.join("old"));
      server.remove("e2");
      await viewWhere(stream, hasPaths("/web"));
    }
    await copyFile(dir.join("old"), dir.join("state"));
    // A server that sees an older place than it has acknowledged compares the whole set.
    server.resumeWith = "inventory";
    await using agent = await RunningAgent.open(options);
    using stream = agent.stream("uid:1000");
    await viewWhere(stream, hasPaths("/web"));
  });

  it("has made a removal durable before it acknowledged it", async () => {
    await using dir = await TempDir.open();
    await using server = await FakeServerApi.open({ push: true });
    server.put(entry("e1", "/web", "uid:1000"));
    const options = { dir, servers: [server.address], bundlePem: server.bundlePem };
    await using agent = await RunningAgent.open(options);
    using stream = agent.stream("uid:1000");
    await viewWhere(stream, hasPaths("/web"));
    server.remove("e1");
    const { revision } = server;
    await eventually("the acknowledgement", () =>
      server.streams.value
        .flatMap(({ messages }) => messages)
        .some(
          ({ message }) =>
            message.case === "acknowledgement" &&
            message.value.state === 2 &&
            message.value.cursor?.revision === revision,
        )
        ? true
        : undefined,
    );
    const content = await readFile(dir.join("state"));
    const state = fromBinary(AgentStateSchema, content.subarray(52));
    assert.deepEqual(state.entries, []);
    assert.deepEqual(state.x509Svids, []);
    assert.equal(agent.agent.views.granted(callerWith("uid:1000")).length, 0);
  });
});
