// A listening socket that outlives whoever accepts on it: passed between holder and agents over real sockets.

import assert from "node:assert/strict";
import { once } from "node:events";
import { existsSync, openSync, readdirSync, statSync } from "node:fs";
import { readdir, rm } from "node:fs/promises";
import { connect, createServer, type Server, type Socket } from "node:net";
import { describe, it } from "node:test";
import { Holder, type HolderDeps } from "../../agent/holder/holder.ts";
import { HolderClient } from "../../agent/holder/holder-client.ts";
import { formatMessage } from "../../agent/holder/messages.ts";
import { Descriptor } from "../../runtime/peer/descriptor.ts";
import { receiveDescriptorLine, sendDescriptorLine } from "../../runtime/peer/descriptor-line.ts";
import { isListeningSocket, listenWithoutAccepting } from "../../runtime/peer/raw-listener.ts";
import { systemRandom } from "../../runtime/random.ts";
import { systemClock } from "../../runtime/time/clock.ts";
import { RecordingLog } from "../fakes/recording-log.ts";
import { eventually } from "../support/eventually.ts";
import { requires } from "../support/requires.ts";
import { TempDir } from "../support/temp-dir.ts";

const clock = systemClock;
const random = systemRandom;
const signal = new AbortController().signal;

/** A folder with the two sockets, whoever is behind them. */
class Node implements AsyncDisposable {
  readonly dir: TempDir;
  readonly log = new RecordingLog();

  private constructor(dir: TempDir) {
    this.dir = dir;
  }

  static async open(): Promise<Node> {
    return new Node(await TempDir.open());
  }

  get workloadSocket(): string {
    return this.dir.join("api.sock");
  }

  get holderSocket(): string {
    return this.dir.join("holder.sock");
  }

  async holder(): Promise<RunningHolder> {
    return new RunningHolder(await Holder.open(this.holderDeps()));
  }

  holderDeps(): HolderDeps {
    return {
      workloadSocket: { path: this.workloadSocket, mode: 0o777 },
      path: this.holderSocket,
      admittedUids: new Set([process.getuid?.() ?? 0]),
      clock,
      random,
      log: this.log.log,
    };
  }

  agent(name: string, sinceMs = 1, giveBackMs = 0): RunningAgent {
    return new RunningAgent(name, this, sinceMs, giveBackMs);
  }

  /** Which agent answers who connects now, however long it takes. */
  ask(): Promise<string> {
    return hear(connect(this.workloadSocket));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.dir[Symbol.asyncDispose]();
  }
}

class RunningHolder implements AsyncDisposable {
  readonly holder: Holder;
  readonly #stop = new AbortController();
  readonly #running: Promise<void>;

  constructor(holder: Holder) {
    this.holder = holder;
    this.#running = holder.run(this.#stop.signal);
  }

  async untilBound(): Promise<this> {
    for await (const { bound } of this.holder.status.subscribe(AbortSignal.timeout(30_000))) {
      if (bound) return this;
    }
    throw new Error("not bound");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await this.#running;
    await this.holder[Symbol.asyncDispose]();
  }
}

/** Answers with its name. */
class RunningAgent implements AsyncDisposable {
  readonly client: HolderClient;
  readonly #stop = new AbortController();
  readonly #running: Promise<void>;

  constructor(name: string, node: Node, sinceMs: number, giveBackMs: number) {
    this.client = new HolderClient({
      path: node.holderSocket,
      sinceMs,
      listen: (fd) => accept(fd, name),
      giveBackMs,
      clock,
      random,
      log: node.log.log,
    });
    this.#running = this.client.run(this.#stop.signal);
  }

  async until(what: "accepting" | "released" | "attached", is = true): Promise<void> {
    const { standing } = this.client;
    for await (const now of standing.subscribe(AbortSignal.timeout(30_000))) {
      if (now[what] === is) return;
    }
    throw new Error(`not ${what}: ${JSON.stringify(standing.value)}`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await this.#running;
  }
}

async function accept(fd: number, name: string): Promise<AsyncDisposable> {
  const server = answering(name);
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen({ fd }, resolve);
  });
  return { [Symbol.asyncDispose]: async () => void server.close() };
}

function answering(name: string): Server {
  return createServer((socket) => {
    // Who only looks whether somebody listens does not wait for an answer.
    socket.on("error", () => {});
    socket.end(name);
  });
}

/** All that comes until the end of a connection. */
async function hear(socket: Socket): Promise<string> {
  let text = "";
  for await (const chunk of socket) text += String(chunk);
  return text;
}

const openDescriptors = (): number => readdirSync("/proc/self/fd").length;

if (requires("linux")) {
  describe("the holder", () => {
    it("binds a socket that everybody may use, and one that only its own user may", async () => {
      await using node = await Node.open();
      await using holder = await node.holder();
      await holder.untilBound();
      assert.equal(statSync(node.workloadSocket).mode & 0o777, 0o777);
      assert.equal(statSync(node.holderSocket).mode & 0o777, 0o600);
      assert.deepEqual((await readdir(node.dir.path)).sort(), ["api.sock", "holder.sock"]);
    });

    it("lets clients wait until an agent comes, and from one agent to the next", async () => {
      await using node = await Node.open();
      await using holder = await node.holder();
      await holder.untilBound();
      const early = [node.ask(), node.ask()];
      {
        await using first = node.agent("first");
        await first.until("accepting");
        assert.deepEqual(await Promise.all(early), ["first", "first"]);
        assert.equal(await node.ask(), "first");
      }
      const between = node.ask();
      await using second = node.agent("second", 2);
      await second.until("accepting");
      assert.equal(await between, "second");
      assert.equal(holder.holder.status.value.agentSeen, true);
    });

    it("keeps the socket until there is an agent when both are replaced, holder last", async () => {
      await using node = await Node.open();
      const first = await (await node.holder()).untilBound();
      {
        await using old = node.agent("old");
        await old.until("attached");
      }
      const between = node.ask();
      const handedOver = first.holder.handOver(5_000).then(() => first[Symbol.asyncDispose]());
      await using _agent = node.agent("agent", 2);
      await handedOver;
      assert.equal(await between, "agent");
      await using second = await (await node.holder()).untilBound();
      assert.equal(await node.ask(), "agent");
      assert.equal(second.holder.status.value.bound, true);
    });

    it("gets the socket from an agent that stops while the holder is replaced", async () => {
      await using node = await Node.open();
      const first = await (await node.holder()).untilBound();
      const old = node.agent("old", 1, 5_000);
      await old.until("attached");
      await first[Symbol.asyncDispose]();
      await old.until("attached", false);
      const stopped = old[Symbol.asyncDispose]();
      await old.until("accepting", false);
      const between = node.ask();
      await using second = await node.holder();
      await stopped;
      await second.untilBound();
      await using agent = node.agent("agent", 2);
      await agent.until("accepting");
      assert.equal(await between, "agent");
    });

    it("takes the socket back from an agent after a restart, and nobody is refused meanwhile", async () => {
      await using node = await Node.open();
      const first = await (await node.holder()).untilBound();
      await using agent = node.agent("agent");
      await agent.until("attached");
      const { ino } = statSync(node.workloadSocket);
      await first[Symbol.asyncDispose]();
      assert.equal(await node.ask(), "agent");
      await agent.until("attached", false);
      await using second = await (await node.holder()).untilBound();
      await agent.until("attached");
      assert.equal(statSync(node.workloadSocket).ino, ino);
      assert.ok(node.log.messages().includes("Workload socket taken back from an agent"));
      assert.equal(await node.ask(), "agent");
      assert.equal(second.holder.status.value.agents, 1);
    });

    it("does not take a socket that the path does not lead to, and binds anew", async () => {
      await using node = await Node.open();
      // What somebody has left behind who is gone.
      listenWithoutAccepting(node.workloadSocket, 1)[Symbol.dispose]();
      using other = listenWithoutAccepting(node.dir.join("other.sock"), 1);
      // It is not running yet, so it has no socket of its own.
      const opened = await Holder.open(node.holderDeps());
      const agent = connect(node.holderSocket);
      agent.on("error", () => {});
      const closed = once(agent, "close");
      agent.resume();
      await once(agent, "connect");
      sendDescriptorLine(
        agent,
        formatMessage({ type: "hello", version: 1, sinceMs: 1, pods: true }),
        other.fd,
      );
      await closed;
      assert.equal(opened.status.value.bound, false);
      await using holder = new RunningHolder(opened);
      await holder.untilBound();
      await using _agent = node.agent("agent");
      assert.equal(await node.ask(), "agent");
    });

    it("binds anew when nobody has the socket", async () => {
      await using node = await Node.open();
      await (await (await node.holder()).untilBound())[Symbol.asyncDispose]();
      assert.equal(existsSync(node.workloadSocket), false);
      await using holder = await node.holder();
      await holder.untilBound();
      await using agent = node.agent("agent");
      assert.equal(await node.ask(), "agent");
      await agent.until("attached");
    });

    it("leaves the file of a socket that an agent still serves", async () => {
      await using node = await Node.open();
      const holder = await (await node.holder()).untilBound();
      await using agent = node.agent("agent");
      await agent.until("attached");
      await holder[Symbol.asyncDispose]();
      assert.equal(await node.ask(), "agent");
    });

    it("waits while somebody else listens, and does not take their socket", async () => {
      await using node = await Node.open();
      const other = answering("other").listen(node.workloadSocket);
      await eventually("it", () => existsSync(node.workloadSocket) || undefined);
      await using holder = await node.holder();
      assert.equal(await node.ask(), "other");
      assert.equal(holder.holder.status.value.bound, false);
      other.close();
      await holder.untilBound();
    });

    it("has the newest agent accept, and the older one again when that is gone", async () => {
      await using node = await Node.open();
      await using holder = await node.holder();
      await holder.untilBound();
      await using older = node.agent("older", 1);
      await older.until("accepting");
      {
        await using newer = node.agent("newer", 2);
        await newer.until("accepting");
        await older.until("released");
        for (let i = 0; i < 20; i++) assert.equal(await node.ask(), "newer");
      }
      await older.until("accepting");
      assert.equal(await node.ask(), "older");
    });

    it("binds another socket when its own was taken away, and gives it to the agent", async () => {
      await using node = await Node.open();
      await using holder = await node.holder();
      await holder.untilBound();
      await using agent = node.agent("agent");
      await agent.until("attached");
      await rm(node.workloadSocket);
      await eventually("another socket", () => existsSync(node.workloadSocket) || undefined);
      assert.equal(await node.ask(), "agent");
      assert.deepEqual(node.log.messages("error"), ["Workload socket was taken away"]);
    });

    it("keeps no descriptor of agents that come and go", async () => {
      await using node = await Node.open();
      await using holder = await node.holder();
      await holder.untilBound();
      const comeAndGo = async (): Promise<void> => {
        await using agent = node.agent("agent");
        await agent.until("attached");
      };
      await comeAndGo();
      await eventually("it", () => holder.holder.status.value.agents === 0 || undefined);
      const before = openDescriptors();
      for (let i = 0; i < 20; i++) await comeAndGo();
      await eventually("all", () => holder.holder.status.value.agents === 0 || undefined);
      await eventually("descriptors", () => openDescriptors() <= before || undefined);
    });
  });

  describe("a stranger at the holder's socket", () => {
    const hello = formatMessage({ type: "hello", version: 1, sinceMs: 1, pods: true });
    const saying: Readonly<Record<string, (socket: Socket) => void>> = {
      "says nothing of sense": (socket) => void socket.write("GET / HTTP/1.1\r\n\r\n"),
      "speaks without end": (socket) => void socket.write("x".repeat(5_000)),
      "speaks another version": (socket) =>
        void socket.write('{"type":"hello","version":2,"sinceMs":1}\n'),
      "says everything at once": (socket) => void socket.write(`${hello}\n{"type":"serving"}\n`),
      "leaves in the middle": (socket) => void socket.end("{"),
      "serves twice": (socket) => {
        socket.write(`${hello}\n`);
        socket.once("data", () => socket.write('{"type":"serving"}\n{"type":"serving"}\n'));
      },
    };
    for (const [what, say] of Object.entries(saying)) {
      it(`that ${what} is disconnected, and others are served`, async () => {
        await using node = await Node.open();
        await using holder = await node.holder();
        await holder.untilBound();
        const socket = connect(node.holderSocket, () => say(socket));
        socket.on("error", () => {});
        socket.resume();
        await new Promise<void>((resolve) => {
          socket.once("close", () => resolve());
        });
        await using agent = node.agent("agent");
        assert.equal(await node.ask(), "agent");
        await agent.until("attached");
      });
    }

    it("gets our socket for what is none, and no descriptor stays open", async () => {
      await using node = await Node.open();
      await using holder = await node.holder();
      await holder.untilBound();
      const before = openDescriptors();
      using nothing = new Descriptor(openSync("/dev/null", "r"));
      const socket = connect(node.holderSocket);
      socket.pause();
      await new Promise<void>((resolve) => {
        socket.once("connect", () => resolve());
      });
      sendDescriptorLine(socket, hello, nothing.fd);
      const options = { maxBytes: 512, timeoutMs: 60_000, clock, signal };
      const { text, descriptor } = await receiveDescriptorLine(socket, options);
      assert.equal(text, formatMessage({ type: "socket", kept: false }));
      assert.ok(descriptor !== undefined && isListeningSocket(descriptor.fd));
      descriptor[Symbol.dispose]();
      socket.destroy();
      // One is /dev/null.
      await eventually("descriptors", () => openDescriptors() <= before + 1 || undefined);
    });
  });
}
