// Server and agent, on real sockets and with real state files, over a night in which the server is away and the agent's SVID runs
// out. Both go by one clock, which the night moves.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Agent } from "../../proto/gen/spire/api/server/agent/v1/agent_pb.ts";
import { Bundle } from "../../proto/gen/spire/api/server/bundle/v1/bundle_pb.ts";
import { SpiffeId } from "../../spiffe/id/spiffe-id.ts";
import { formatPem } from "../../spiffe/x509/pem.ts";
import { ShiftedClock } from "../fakes/shifted-clock.ts";
import { eventually } from "../support/eventually.ts";
import { RunningAgent, type RunningAgentOptions, viewWhere } from "../support/running-agent.ts";
import { CALL, RunningServer, TRUST_DOMAIN } from "../support/running-server.ts";
import { TempDir } from "../support/temp-dir.ts";

const HOUR = 3_600_000;
/** What the workload asks with, and what `createEntries` wants of it. */
const USER = "uid:1000";

/** A trust domain with one agent, that joined by a token and serves one workload. */
class Story implements AsyncDisposable {
  readonly clock: ShiftedClock;
  readonly agentId: string;
  server: RunningServer;
  agent: RunningAgent;
  readonly #agentOptions: RunningAgentOptions;
  readonly #serverDir: TempDir;
  readonly #port: number;

  private constructor(
    parts: Pick<Story, "agentId" | "server" | "agent" | "clock">,
    agentOptions: RunningAgentOptions,
    serverDir: TempDir,
  ) {
    this.clock = parts.clock;
    this.agentId = parts.agentId;
    this.server = parts.server;
    this.agent = parts.agent;
    this.#agentOptions = agentOptions;
    this.#serverDir = serverDir;
    this.#port = parts.server.server.port;
  }

  static async open(): Promise<Story> {
    const clock = new ShiftedClock();
    const serverDir = await TempDir.open();
    const server = await RunningServer.open({}, serverDir, clock);
    using admin = server.admin();
    const token = await admin.client(Agent).createJoinToken({ ttl: 600 }, CALL);
    const { x509Authorities } = await admin.client(Bundle).getBundle({}, CALL);
    const options: RunningAgentOptions = {
      servers: [server.address],
      bundlePem: x509Authorities.map(({ asn1 }) => formatPem("CERTIFICATE", asn1)).join(""),
      dir: await TempDir.open(),
      trustDomain: TRUST_DOMAIN,
      token: token.value,
      clock,
    };
    const agent = await RunningAgent.open(options);
    const agentId = `spiffe://${TRUST_DOMAIN}/spire/agent/join_token/${token.value}`;
    const story = new Story({ clock, agentId, server, agent }, options, serverDir);
    await story.onRecord();
    await server.createEntries(agentId, "/web");
    await story.serves();
    return story;
  }

  /** What the server has on record about the agent. */
  async onRecord(): Promise<{ readonly serial: string; readonly endsAt: Date }> {
    using admin = this.server.admin();
    const { path } = SpiffeId.parse(this.agentId);
    return await eventually("the agent to be on record", async () => {
      const id = { trustDomain: TRUST_DOMAIN, path };
      const found = await admin.client(Agent).getAgent({ id }, CALL);
      const endsAt = new Date(Number(found.x509svidExpiresAt) * 1000);
      return { serial: found.x509svidSerialNumber, endsAt };
    });
  }

  /** Waits until the workload has its identity, by an SVID that is valid now. */
  async serves(): Promise<void> {
    using stream = this.agent.stream(USER);
    await viewWhere(
      stream,
      ({ identities }) =>
        identities.length === 1 &&
        identities.every(({ expiresAt }) => expiresAt > this.clock.now()),
    );
  }

  /** Waits for a line of the agent's log. */
  async saysInLog(message: string): Promise<void> {
    await eventually(`"${message}"`, () =>
      [...this.agent.log.messages("warn"), ...this.agent.log.messages("error")].includes(message)
        ? true
        : undefined,
    );
  }

  async stopServer(): Promise<void> {
    await this.server[Symbol.asyncDispose]();
  }

  async startServer(): Promise<void> {
    const listen = { address: "127.0.0.1", port: this.#port };
    this.server = await RunningServer.open({ listen }, this.#serverDir, this.clock);
  }

  async stopAgent(): Promise<void> {
    await this.agent[Symbol.asyncDispose]();
  }

  async startAgent(): Promise<void> {
    this.agent = await RunningAgent.open(this.#agentOptions);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.agent[Symbol.asyncDispose]();
    await this.server[Symbol.asyncDispose]();
    await this.#agentOptions.dir[Symbol.asyncDispose]();
    await this.#serverDir[Symbol.asyncDispose]();
  }
}

describe("an agent whose SVID ran out while its server was away", () => {
  it("renews by its key when the server is back, without a new token, and serves again", async () => {
    await using story = await Story.open();
    const before = await story.onRecord();
    await story.stopServer();
    story.clock.shift(30 * HOUR);
    assert.ok(before.endsAt < story.clock.now(), "the SVID has not run out");
    await story.startServer();
    const after = await eventually("another SVID on record", async () => {
      const now = await story.onRecord();
      return now.serial === before.serial ? undefined : now;
    });
    assert.ok(after.endsAt > story.clock.now());
    await story.serves();
  });

  it("does so also after a start of its own, from its state file", async () => {
    await using story = await Story.open();
    const before = await story.onRecord();
    await story.stopAgent();
    await story.stopServer();
    story.clock.shift(30 * HOUR);
    await story.startServer();
    await story.startAgent();
    await story.serves();
    assert.notEqual((await story.onRecord()).serial, before.serial);
  });

  it("is not let in when the time of grace is over, and says that it needs a token", async () => {
    await using story = await Story.open();
    const before = await story.onRecord();
    await story.stopAgent();
    await story.stopServer();
    story.clock.shift(49 * HOUR);
    await story.startServer();
    await story.startAgent();
    await story.saysInLog("Agent identity was not obtained");
    assert.equal((await story.onRecord()).serial, before.serial);
  });

  it("is not let in when it was banned", async () => {
    await using story = await Story.open();
    await story.stopAgent();
    await story.stopServer();
    story.clock.shift(30 * HOUR);
    await story.startServer();
    using admin = story.server.admin();
    const { path } = SpiffeId.parse(story.agentId);
    await admin.client(Agent).banAgent({ id: { trustDomain: TRUST_DOMAIN, path } }, CALL);
    await story.startAgent();
    await story.saysInLog(
      "Server has banned this agent, nothing is served until it is let in again",
    );
    // A ban takes its serial number off the record; a renewal would put another there.
    assert.equal((await story.onRecord()).serial, "");
  });

  it("is not let in when it was evicted", async () => {
    await using story = await Story.open();
    await story.stopAgent();
    await story.stopServer();
    story.clock.shift(30 * HOUR);
    await story.startServer();
    using admin = story.server.admin();
    const { path } = SpiffeId.parse(story.agentId);
    const id = { trustDomain: TRUST_DOMAIN, path };
    await admin.client(Agent).deleteAgent({ id }, CALL);
    await story.startAgent();
    await story.saysInLog("Server does not know this agent any more, a new join token is needed");
    await assert.rejects(admin.client(Agent).getAgent({ id }, CALL), /not found/);
  });
});
