import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { create, fromBinary, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import {
  Acknowledgement_State as Ack,
  AgentMessageSchema,
  type AuditShipment,
  type Binding,
  Update_Kind as Kind,
  ServerHeartbeatSchema,
  type ServerMessage,
  ServerMessageSchema,
  type Update,
} from "../../proto/gen/assay/sync/v1/sync_pb.ts";
import { Status, StatusError } from "../../runtime/errors/status-error.ts";
import { FakeClock } from "../../test/fakes/fake-clock.ts";
import { MemoryStore } from "../../test/fakes/memory-store.ts";
import { RecordingLog } from "../../test/fakes/recording-log.ts";
import { newEntry } from "../../test/support/entries.ts";
import { BundleMessages } from "../bundle/bundle-messages.ts";
import { AuthorizedEntries } from "../entries/authorized-entries.ts";
import { Relationships } from "../federation/relationships.ts";
import { ServedBundles } from "../federation/served-bundles.ts";
import type { NewEntry } from "../store/contract/entries.ts";
import type { FederationLimitsRecord } from "../store/records.ts";
import { type AgentStreamDeps, serveAgent } from "./agent-stream.ts";
import { ConnectedAgents } from "./connected-agents.ts";
import { RecentChanges } from "./recent-changes.ts";
import { WireParts } from "./wire-parts.ts";

const AGENT = "spiffe://example.test/spire/agent/x509pop/node";
const OTHER = "spiffe://example.test/spire/agent/x509pop/other";
const own = (id: string, fields: Partial<Omit<NewEntry, "id">> = {}): NewEntry =>
  newEntry(id, { parentId: AGENT, ...fields });

const NO_LIMITS: FederationLimitsRecord = {
  any: false,
  idPatterns: [],
  audiences: [],
  endsAt: 0,
  purpose: "",
  owner: "",
};

type AgentMessage = Exclude<MessageInitShape<typeof AgentMessageSchema>, { $typeName: string }>;

/** A server's push half over a store in memory. */
class Server implements Disposable {
  readonly store: MemoryStore;
  readonly agents = new ConnectedAgents();
  readonly clock = new FakeClock();
  readonly bound: Binding[] = [];
  readonly shipped: AuditShipment[] = [];
  readonly #authorization: AuthorizedEntries;
  readonly #bundles: ServedBundles;
  readonly #recent: RecentChanges;
  epoch = 0n;

  private constructor(
    store: MemoryStore,
    authorization: AuthorizedEntries,
    bundles: ServedBundles,
    recent: RecentChanges,
  ) {
    this.store = store;
    this.#authorization = authorization;
    this.#bundles = bundles;
    this.#recent = recent;
  }

  static async open(): Promise<Server> {
    const store = await MemoryStore.open();
    const { log } = new RecordingLog();
    const serverId = "spiffe://example.test/spire/server";
    const server = new Server(
      store,
      await AuthorizedEntries.load({ store, serverId, log }),
      new ServedBundles({
        bundles: await BundleMessages.open(store),
        relationships: await Relationships.open(store),
        clock: new FakeClock(),
      }),
      await RecentChanges.open(store),
    );
    await server.setBundle("example.test", 1n);
    return server;
  }

  async create(...entries: NewEntry[]): Promise<bigint> {
    const write = { entries, now: 1_772_366_400, actor: "test" };
    const { output, revision } = await this.store.write("createEntries", write);
    for (const result of output) assert.equal(result.ok, true, JSON.stringify(result));
    return revision;
  }

  async delete(...ids: string[]): Promise<bigint> {
    return (await this.store.write("deleteEntries", { ids })).revision;
  }

  async setBundle(trustDomain: string, sequence: bigint): Promise<void> {
    const bundle = {
      trustDomain,
      x509Authorities: [],
      jwtAuthorities: [],
      witAuthorities: [],
      refreshHintSeconds: 0,
      sequence,
    };
    await this.store.write("writeBundles", { bundles: [bundle], mode: "set" });
  }

  async setLimits(trustDomain: string, limits: Partial<FederationLimitsRecord>): Promise<void> {
    const set = { endpoint: { profile: "none" }, limits: { ...NO_LIMITS, ...limits } } as const;
    const relationships = [{ trustDomain, set }];
    const now = 1_772_366_400;
    const write = { relationships, mode: "set", origin: "admin", now, actor: "test" } as const;
    await this.store.write("writeRelationships", write);
  }

  connect(agentId = AGENT): Agent {
    const deps: AgentStreamDeps = {
      source: {
        authorization: this.#authorization,
        bundles: this.#bundles,
        trustDomain: "example.test",
        incarnation: this.store.incarnation,
        revocationEpoch: () => this.epoch,
        parts: new WireParts(),
      },
      recent: this.#recent,
      agents: this.agents,
      hello: () => ({
        serverVersion: "test",
        heartbeatSeconds: 30,
        nextHeartbeatSeconds: 120,
        maxCsrsPerCall: 500,
        maxCsrsInFlight: 500,
      }),
      bound: (_, bindings) => this.bound.push(...bindings),
      archive: async (_, shipment) => {
        this.shipped.push(shipment);
        return shipment.firstSeq + BigInt(shipment.lines.length) - 1n;
      },
      seen: () => {},
      clock: this.clock,
    };
    return new Agent(deps, agentId);
  }

  [Symbol.dispose](): void {
    this.#authorization[Symbol.dispose]();
    this.store[Symbol.dispose]();
  }
}

/** What an agent says that it has. */
interface Held {
  readonly revision?: bigint;
  readonly digest?: Uint8Array;
  readonly incarnation?: string;
  readonly capabilities?: string[];
}

/** The other end of the stream. */
class Agent {
  readonly call = new AbortController();
  readonly #stream: AsyncGenerator<ServerMessage>;
  readonly #outgoing: AgentMessage[] = [];
  #wake: () => void = () => {};
  #isOver = false;

  constructor(deps: AgentStreamDeps, agentId: string) {
    const { log } = new RecordingLog();
    this.#stream = serveAgent(deps, agentId, this.#requests(), {
      signal: this.call.signal,
      log,
    });
  }

  send(message: NonNullable<AgentMessage["message"]>): void {
    this.#outgoing.push({ message });
    this.#wake();
  }

  /** Ends the agent's half. */
  finish(): void {
    this.#isOver = true;
    this.#wake();
  }

  hello(held: Held = {}): void {
    const incarnation = held.incarnation ?? "0195f1a0-0000-7000-8000-000000000001";
    this.send({
      case: "hello",
      value: {
        protocolMin: 1,
        protocolMax: 1,
        capabilities: held.capabilities ?? ["federation_limits"],
        authorizationDigest: held.digest ?? new Uint8Array(),
        ...(held.revision === undefined
          ? {}
          : { cursor: { incarnation, revision: held.revision } }),
      },
    });
  }

  acknowledge(state: Ack, revision: bigint): void {
    const cursor = { incarnation: "0195f1a0-0000-7000-8000-000000000001", revision };
    this.send({ case: "acknowledgement", value: { state, cursor } });
  }

  /** The next message as it is read from the wire. */
  async next(): Promise<ServerMessage["message"]> {
    const { done, value } = await this.#stream.next();
    assert.equal(done, false);
    return fromBinary(ServerMessageSchema, toBinary(ServerMessageSchema, value)).message;
  }

  async nextUpdate(): Promise<Update> {
    const message = await this.next();
    assert.equal(message.case, "update");
    return message.value as Update;
  }

  /** Connects, and reads what brings it up to date. */
  async begin(held: Parameters<Agent["hello"]>[0] = {}): Promise<Update> {
    this.hello(held);
    assert.equal((await this.next()).case, "hello");
    return await this.nextUpdate();
  }

  async *#requests() {
    for (;;) {
      const message = this.#outgoing.shift();
      if (message !== undefined) {
        yield create(AgentMessageSchema, message);
        continue;
      }
      if (this.#isOver) return;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }
}

const idsOf = ({ entries }: Update): (string | undefined)[] =>
  entries.map(({ entry }) => entry?.id).sort();
const bundlesOf = ({ bundles }: Update): string[] =>
  bundles.map(({ trustDomain }) => trustDomain).sort();
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe("serveAgent", () => {
  it("sends a snapshot to an agent that holds nothing", async () => {
    using server = await Server.open();
    await server.create(own("a"), own("b"), newEntry("x", { parentId: OTHER }));
    const agent = server.connect();
    const update = await agent.begin();
    assert.equal(update.kind, Kind.SNAPSHOT);
    assert.deepEqual(idsOf(update), ["a", "b"]);
    assert.deepEqual(bundlesOf(update), ["example.test"]);
    assert.equal(update.cursor?.revision, server.store.revision);
    assert.equal(update.authorizationDigest.length, 32);
  });

  it("pushes what is added, changed and removed, and nothing of others", async () => {
    using server = await Server.open();
    const agent = server.connect();
    await agent.begin();
    await server.create(newEntry("x", { parentId: OTHER }));
    const created = await server.create(own("a"));
    const first = await agent.nextUpdate();
    assert.equal(first.kind, Kind.DIFFERENCE);
    assert.deepEqual(idsOf(first), ["a"]);
    assert.equal(first.cursor?.revision, created);
    await server.store.write("updateEntries", {
      updates: [{ id: "a", set: { hint: "new" } }],
      actor: "test",
    });
    assert.equal((await agent.nextUpdate()).entries[0]?.entry?.hint, "new");
    await server.delete("a");
    assert.deepEqual((await agent.nextUpdate()).removedEntryIds, ["a"]);
  });

  it("sends an agent that was slow only what is true now", async () => {
    using server = await Server.open();
    const agent = server.connect();
    await agent.begin();
    for (let i = 0; i < 50; i++) await server.create(own(`e-${i}`));
    for (let i = 0; i < 49; i++) await server.delete(`e-${i}`);
    const update = await agent.nextUpdate();
    assert.deepEqual(idsOf(update), ["e-49"]);
    assert.equal(update.removedEntryIds.length, 49);
    assert.equal(update.cursor?.revision, server.store.revision);
  });

  it("resumes with the difference", async () => {
    using server = await Server.open();
    await server.create(own("a"), own("b"), newEntry("x", { parentId: OTHER }));
    const first = server.connect();
    const { cursor, authorizationDigest } = await first.begin();
    first.call.abort(new StatusError(Status.CANCELLED, "gone"));
    await server.create(own("c"), newEntry("y", { parentId: OTHER }));
    await server.delete("a", "x");
    const again = server.connect();
    const update = await again.begin({
      revision: cursor?.revision ?? 0n,
      digest: authorizationDigest,
    });
    assert.equal(update.kind, Kind.DIFFERENCE);
    assert.deepEqual(idsOf(update), ["c"]);
    // The entry of another agent is none of its business, not even that it has gone.
    assert.deepEqual(update.removedEntryIds, ["a"]);
    assert.deepEqual(bundlesOf(update), []);
  });

  it("tells an agent that is up to date where it stands", async () => {
    using server = await Server.open();
    await server.create(own("a"));
    const first = server.connect();
    const { cursor, authorizationDigest } = await first.begin();
    const again = server.connect();
    const update = await again.begin({
      revision: cursor?.revision ?? 0n,
      digest: authorizationDigest,
    });
    assert.equal(update.kind, Kind.DIFFERENCE);
    assert.deepEqual([idsOf(update), update.removedEntryIds, bundlesOf(update)], [[], [], []]);
  });

  it("sends ids and revisions across a change of history, and then what is asked for", async () => {
    using server = await Server.open();
    await server.create(own("a"), own("b"), newEntry("x", { parentId: OTHER }));
    const agent = server.connect();
    const update = await agent.begin({ revision: 1n, incarnation: "another" });
    assert.equal(update.kind, Kind.INVENTORY);
    assert.deepEqual(update.inventory.map(({ id }) => id).sort(), ["a", "b"]);
    assert.deepEqual(bundlesOf(update), ["example.test"]);
    agent.send({ case: "entryRequest", value: { ids: ["b", "x", "nothing"] } });
    const answer = await agent.nextUpdate();
    assert.equal(answer.kind, Kind.ENTRIES);
    assert.deepEqual(idsOf(answer), ["b"]);
    assert.deepEqual(answer.removedEntryIds.toSorted(), ["nothing", "x"]);
  });

  it("sends bundles that the agent needs, when it begins to need them and when they change", async () => {
    using server = await Server.open();
    await server.setBundle("friend.test", 1n);
    await server.setBundle("stranger.test", 1n);
    const agent = server.connect();
    assert.deepEqual(bundlesOf(await agent.begin()), ["example.test"]);
    await server.create(own("a", { federatesWith: ["friend.test"] }));
    assert.deepEqual(bundlesOf(await agent.nextUpdate()), ["friend.test"]);
    await server.setBundle("stranger.test", 2n);
    await server.setBundle("friend.test", 2n);
    const changed = await agent.nextUpdate();
    assert.deepEqual(
      [bundlesOf(changed), changed.bundles[0]?.sequenceNumber],
      [["friend.test"], 2n],
    );
    await server.delete("a");
    const last = await agent.nextUpdate();
    assert.deepEqual([last.removedEntryIds, last.removedBundles], [["a"], ["friend.test"]]);
  });

  it("sends the limits of a federation beside its bundle, and again when only they change", async () => {
    using server = await Server.open();
    await server.setBundle("friend.test", 1n);
    await server.setLimits("friend.test", { idPatterns: ["/a"] });
    await server.create(own("a", { federatesWith: ["friend.test"] }));
    const agent = server.connect();
    const first = await agent.begin();
    assert.deepEqual(bundlesOf(first).sort(), ["example.test", "friend.test"]);
    const limitsOf = (update: Update) =>
      update.federationLimits.map(({ trustDomain, idPatterns }) => [trustDomain, ...idPatterns]);
    assert.deepEqual(limitsOf(first), [["friend.test", "/a"]]);
    await server.setLimits("friend.test", { idPatterns: ["/b"] });
    const second = await agent.nextUpdate();
    assert.deepEqual(
      [bundlesOf(second), limitsOf(second)],
      [["friend.test"], [["friend.test", "/b"]]],
    );
    await server.store.write("deleteRelationships", {
      trustDomains: ["friend.test"],
      origin: "admin",
      now: 1_772_366_400,
    });
    assert.deepEqual((await agent.nextUpdate()).removedBundles, ["friend.test"]);
    await server.setBundle("friend.test", 2n);
    assert.deepEqual(bundlesOf(await agent.nextUpdate()), ["friend.test"], "set by hand again");
  });

  it("sends a limited bundle to an agent that keeps no limits only if every entry lifts them", async () => {
    using server = await Server.open();
    await server.setBundle("friend.test", 1n);
    await server.setLimits("friend.test", { idPatterns: ["/a"] });
    const federatesWith = ["friend.test"];
    const lifted = { federatesWith, unrestrictedFederation: federatesWith };
    await server.create(own("a", lifted), own("b", { federatesWith, hint: "b" }));
    const agent = server.connect();
    const { cursor, ...first } = await agent.begin({ capabilities: [] });
    assert.deepEqual(
      first.bundles.map(({ trustDomain }) => trustDomain),
      ["example.test"],
    );
    await server.delete("b");
    assert.deepEqual(bundlesOf(await agent.nextUpdate()), ["friend.test"]);
    const again = server.connect();
    const revision = cursor?.revision ?? 0n;
    const resumed = await again.begin({ capabilities: [], revision });
    assert.equal(resumed.kind, Kind.INVENTORY);
  });

  it("knows how far a revision has come", async () => {
    using server = await Server.open();
    const agent = server.connect();
    const other = server.connect(OTHER);
    const start = await agent.begin();
    await other.begin();
    for (const one of [agent, other]) one.acknowledge(Ack.DELIVERED, start.cursor?.revision ?? 0n);
    await turn();
    const revision = await server.create(own("a"));
    assert.deepEqual(server.agents.rollout(revision, "applied"), { reached: 1, late: [AGENT] });
    await agent.nextUpdate();
    agent.acknowledge(Ack.APPLIED, revision);
    await turn();
    assert.deepEqual(server.agents.rollout(revision, "applied"), { reached: 2, late: [] });
    assert.deepEqual(server.agents.rollout(revision, "delivered"), { reached: 1, late: [AGENT] });
    agent.acknowledge(Ack.DELIVERED, revision);
    await turn();
    assert.deepEqual(server.agents.rollout(revision, "delivered"), { reached: 2, late: [] });
  });

  it("counts an agent as late until it has said what it serves", async () => {
    using server = await Server.open();
    const agent = server.connect();
    await agent.begin();
    assert.deepEqual(server.agents.rollout(0n, "applied").late, [AGENT]);
  });

  it("keeps one stream per agent, the newest", async () => {
    using server = await Server.open();
    const old = server.connect();
    await old.begin();
    const ended = assert.rejects(old.next(), { code: Status.ABORTED });
    const newest = server.connect();
    await newest.begin();
    await ended;
    assert.equal(server.agents.size, 1);
    await server.create(own("a"));
    assert.deepEqual(idsOf(await newest.nextUpdate()), ["a"]);
  });

  it("asks the agent and hands on the answer", async () => {
    using server = await Server.open();
    const agent = server.connect();
    await agent.begin();
    const session = server.agents.get(AGENT) ?? assert.fail();
    const asked = session.ask(
      { case: "state", value: { $typeName: "assay.sync.v1.StateQuery" } },
      AbortSignal.timeout(5_000),
    );
    const query = await agent.next();
    assert.equal(query.case, "query");
    const queryId = query.case === "query" ? query.value.id : "";
    agent.send({ case: "answer", value: { queryId: "of nobody", error: "x" } });
    agent.send({ case: "answer", value: { queryId, error: "cannot say" } });
    assert.equal((await asked).error, "cannot say");
  });

  it("hands on bindings, and confirms audit records when they are kept", async () => {
    using server = await Server.open();
    const agent = server.connect();
    await agent.begin();
    agent.send({ case: "bindings", value: { bindings: [{ credential: "0a", entryId: "a" }] } });
    agent.send({
      case: "audit",
      value: { firstSeq: 5n, lines: [new Uint8Array(1), new Uint8Array(1)] },
    });
    const receipt = await agent.next();
    assert.deepEqual(receipt.case === "auditReceipt" && receipt.value.throughSeq, 6n);
    assert.equal(server.bound[0]?.credential, "0a");
    assert.equal(server.shipped.length, 1);
  });

  it("gives a sign of life only behind what it says has been sent", async () => {
    using server = await Server.open();
    const agent = server.connect();
    await agent.begin();
    const session = server.agents.get(AGENT) ?? assert.fail();
    const revision = await server.create(own("a"));
    const value = create(ServerHeartbeatSchema, {
      cursor: { incarnation: server.store.incarnation, revision },
    });
    const heartbeat = create(ServerMessageSchema, { message: { case: "heartbeat", value } });
    session.sendHeartbeat(heartbeat, 0);
    assert.deepEqual(idsOf(await agent.nextUpdate()), ["a"]);
    assert.equal((await agent.next()).case, "heartbeat");
  });

  it("lets only agents that answer heartbeats wait longer for them", async () => {
    using server = await Server.open();
    for (const [capabilities, seconds] of [
      [[], 30],
      [["heartbeat_answers"], 120],
    ] as const) {
      const agent = server.connect();
      await agent.begin({ capabilities: [...capabilities] });
      assert.equal(server.agents.get(AGENT)?.heartbeatSeconds, seconds);
    }
  });

  it("knows since when an agent owes a sign of life, which any message is", async () => {
    using server = await Server.open();
    const agent = server.connect();
    const { cursor } = await agent.begin();
    const session = server.agents.get(AGENT) ?? assert.fail();
    for (const nowMs of [1_000, 2_000]) session.sendHeartbeat(create(ServerMessageSchema), nowMs);
    assert.equal(session.unansweredSinceMs, 1_000);
    agent.acknowledge(Ack.APPLIED, cursor?.revision ?? 0n);
    await turn();
    assert.equal(session.unansweredSinceMs, undefined);
  });

  it("says that it does not know a kind of message", async () => {
    using server = await Server.open();
    const agent = server.connect();
    await agent.begin();
    agent.send({ case: undefined });
    const answer = await agent.next();
    assert.deepEqual(answer.case === "unsupported" && answer.value.kind, "unknown");
  });

  it("refuses what does not begin with a hello, and versions it does not speak", async () => {
    using server = await Server.open();
    const silent = server.connect();
    const late = assert.rejects(silent.next(), {
      code: Status.DEADLINE_EXCEEDED,
      message: "agent did not say hello",
    });
    await server.clock.whenSleeping();
    await server.clock.advance(10_000);
    await late;
    const rude = server.connect();
    rude.acknowledge(Ack.APPLIED, 1n);
    await assert.rejects(rude.next(), {
      code: Status.INVALID_ARGUMENT,
      message: "the first message must be a hello",
    });
    const modern = server.connect();
    modern.send({ case: "hello", value: { protocolMin: 2, protocolMax: 3 } });
    await assert.rejects(modern.next(), {
      code: Status.FAILED_PRECONDITION,
      message: "the agent speaks versions 2 to 3 of the sync protocol, the server version 1",
    });
  });

  it("lets go of an agent that has ended its half", async () => {
    using server = await Server.open();
    const agent = server.connect();
    await agent.begin();
    const ended = assert.rejects(agent.next(), { message: "agent ended the stream" });
    agent.finish();
    await ended;
    assert.equal(server.agents.size, 0);
  });
});
