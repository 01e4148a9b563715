// Sockets that single pods have: bound by the holder, passed on to agents, over real sockets.

import assert from "node:assert/strict";
import { once } from "node:events";
import { existsSync, readlinkSync, statSync } from "node:fs";
import { mkdir, readdir, rm } from "node:fs/promises";
import { connect, createServer } from "node:net";
import { describe, it } from "node:test";
import { Holder } from "../../agent/holder/holder.ts";
import { HolderClient } from "../../agent/holder/holder-client.ts";
import { formatMessage } from "../../agent/holder/messages.ts";
import type { PodVolumeName } from "../../agent/holder/pod-socket-name.ts";
import { PodSockets } from "../../agent/holder/pod-sockets.ts";
import { receiveDescriptorLine, sendDescriptorLine } from "../../runtime/peer/descriptor-line.ts";
import { systemRandom } from "../../runtime/random.ts";
import { systemClock } from "../../runtime/time/clock.ts";
import { RecordingLog } from "../fakes/recording-log.ts";
import { eventually } from "../support/eventually.ts";
import { OTHER_POD_UID, POD_UID } from "../support/pods.ts";
import { requires } from "../support/requires.ts";
import { TempDir } from "../support/temp-dir.ts";

const clock = systemClock;
const random = systemRandom;
const volume: PodVolumeName = { podUid: POD_UID, volume: "spiffe" };
const other: PodVolumeName = { podUid: OTHER_POD_UID, volume: "spiffe" };

/** A holder with sockets of pods, in a folder that outlives it. */
class HolderProcess implements AsyncDisposable {
  readonly sockets: PodSockets;
  readonly #stack: AsyncDisposableStack;

  private constructor(sockets: PodSockets, stack: AsyncDisposableStack) {
    this.sockets = sockets;
    this.#stack = stack;
  }

  static async start(dir: TempDir, isThere = (_: string) => true): Promise<HolderProcess> {
    const { log } = new RecordingLog();
    await using stack = new AsyncDisposableStack();
    const deps = {
      folder: dir.join("pods"),
      socket: { name: "api.sock", mode: 0o777 },
      aliases: ["spire-agent.sock"],
      log,
    };
    const sockets = stack.use(await PodSockets.open(deps, isThere));
    const holder = stack.use(
      await Holder.open({
        workloadSocket: { path: dir.join("api.sock"), mode: 0o777 },
        podSockets: sockets,
        path: dir.join("holder.sock"),
        admittedUids: new Set([process.getuid?.() ?? 0]),
        clock,
        random,
        log,
      }),
    );
    const stop = new AbortController();
    const running = holder.run(stop.signal);
    stack.defer(async () => {
      stop.abort();
      await running;
    });
    return new HolderProcess(sockets, stack.move());
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stack.disposeAsync();
  }
}

/** Answers on each socket with its name and the pod's UID. */
class AgentProcess implements AsyncDisposable {
  readonly client: HolderClient;
  readonly #stop = new AbortController();
  readonly #running: Promise<void>;

  constructor(dir: TempDir, name: string, sinceMs: number) {
    this.client = new HolderClient({
      path: dir.join("holder.sock"),
      sinceMs,
      listen: (fd, socketPod = "shared") => answer(fd, `${name} ${socketPod}`),
      giveBackMs: 0,
      clock,
      random,
      log: new RecordingLog().log,
    });
    this.#running = this.client.run(this.#stop.signal);
  }

  async untilAttached(): Promise<this> {
    const patience = AbortSignal.timeout(30_000);
    for await (const { attached } of this.client.standing.subscribe(patience)) {
      if (attached) return this;
    }
    throw new Error("not attached");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await this.#running;
  }
}

async function answer(fd: number, text: string): Promise<AsyncDisposable> {
  const server = createServer((socket) => {
    socket.on("error", () => {});
    socket.end(text);
  });
  server.listen({ fd });
  await once(server, "listening");
  return { [Symbol.asyncDispose]: async () => void server.close() };
}

/** What answers there, however long it takes. */
async function hear(path: string): Promise<string> {
  const socket = connect(path);
  let text = "";
  for await (const chunk of socket) text += String(chunk);
  return text;
}

async function folderFor({ sockets }: HolderProcess, which: PodVolumeName): Promise<string> {
  const folder = await sockets.folderFor(which);
  assert.ok(folder !== undefined);
  return folder;
}

if (requires("linux")) {
  describe("sockets of pods", () => {
    it("lie in folders of their own, which nobody but a mount leads into", async () => {
      await using dir = await TempDir.open();
      await using holder = await HolderProcess.start(dir);
      const folder = await folderFor(holder, volume);
      assert.equal(await folderFor(holder, volume), folder);
      assert.notEqual(await folderFor(holder, { ...volume, volume: "second" }), folder);
      assert.equal(statSync(dir.join("pods")).mode & 0o777, 0o700);
      assert.equal(statSync(folder).mode & 0o777, 0o755);
      assert.deepEqual((await readdir(folder)).sort(), ["api.sock", "spire-agent.sock"]);
      assert.equal(readlinkSync(`${folder}/spire-agent.sock`), "api.sock");
      assert.equal(await holder.sockets.folderFor({ ...volume, podUid: "../x" }), undefined);
      await holder.sockets.remove(volume);
      assert.equal(existsSync(folder), false);
    });

    it("come to the agent with the pod's UID, those that were there and those that come", async () => {
      await using dir = await TempDir.open();
      await using holder = await HolderProcess.start(dir);
      const first = await folderFor(holder, volume);
      await using agent = new AgentProcess(dir, "one", 1);
      assert.equal(await hear(`${first}/api.sock`), `one ${POD_UID}`);
      assert.equal(await hear(`${first}/spire-agent.sock`), `one ${POD_UID}`);
      await agent.untilAttached();
      const second = await folderFor(holder, other);
      assert.equal(await hear(`${second}/api.sock`), `one ${OTHER_POD_UID}`);
      assert.equal(await hear(dir.join("api.sock")), "one shared");
    });

    it("outlive the agent: who connects meanwhile waits", async () => {
      await using dir = await TempDir.open();
      await using holder = await HolderProcess.start(dir);
      const folder = await folderFor(holder, volume);
      {
        await using _ = new AgentProcess(dir, "one", 1);
        assert.equal(await hear(`${folder}/api.sock`), `one ${POD_UID}`);
      }
      const waiting = hear(`${folder}/api.sock`);
      await using _ = new AgentProcess(dir, "two", 2);
      assert.equal(await waiting, `two ${POD_UID}`);
    });

    it("go to the newer of two agents, and back when it is gone", async () => {
      await using dir = await TempDir.open();
      await using holder = await HolderProcess.start(dir);
      const folder = await folderFor(holder, volume);
      await using _ = await new AgentProcess(dir, "old", 1).untilAttached();
      const become = (name: string) =>
        eventually(`${name} to answer`, async () =>
          (await hear(`${folder}/api.sock`)) === `${name} ${POD_UID}` ? true : undefined,
        );
      await become("old");
      {
        await using _ = await new AgentProcess(dir, "new", 2).untilAttached();
        await become("new");
      }
      await become("old");
    });

    it("are served while the holder is away, and by the one that comes next", async () => {
      await using dir = await TempDir.open();
      await using agent = new AgentProcess(dir, "one", 1);
      let folders: readonly string[] = [];
      {
        await using holder = await HolderProcess.start(dir);
        folders = [await folderFor(holder, volume), await folderFor(holder, other)];
        for (const folder of folders) await hear(`${folder}/api.sock`);
        await agent.untilAttached();
      }
      const [kept = "", gone = ""] = folders;
      assert.equal(await hear(`${kept}/api.sock`), `one ${POD_UID}`);
      await mkdir(dir.join("pods", "somebody-else"), { recursive: true });
      await using holder = await HolderProcess.start(dir, (podUid) => podUid === POD_UID);
      assert.deepEqual([...holder.sockets.held.value.keys()].length, 1);
      assert.equal(existsSync(gone), false);
      const name = kept.slice(kept.lastIndexOf("/") + 1);
      assert.deepEqual((await readdir(dir.join("pods"))).sort(), [name, "somebody-else"]);
      assert.equal(await hear(`${kept}/api.sock`), `one ${POD_UID}`);
    });

    it("are bound anew when somebody took one away", async () => {
      await using dir = await TempDir.open();
      await using holder = await HolderProcess.start(dir);
      await using _ = new AgentProcess(dir, "one", 1);
      const folder = await folderFor(holder, volume);
      await hear(`${folder}/api.sock`);
      await rm(`${folder}/api.sock`);
      await folderFor(holder, volume);
      assert.equal(await hear(`${folder}/api.sock`), `one ${POD_UID}`);
    });

    it("are handed to nobody by a name that is none", async () => {
      await using dir = await TempDir.open();
      await using _ = await HolderProcess.start(dir);
      const socket = connect(dir.join("holder.sock"));
      socket.pause();
      await once(socket, "connect");
      const name = "../holder.sock";
      sendDescriptorLine(socket, formatMessage({ type: "pod", version: 1, name }));
      const { signal } = new AbortController();
      const options = { maxBytes: 512, timeoutMs: 60_000, clock, signal };
      const { text, descriptor } = await receiveDescriptorLine(socket, options);
      assert.equal(text, formatMessage({ type: "pod_gone", name }));
      assert.equal(descriptor, undefined);
      socket.destroy();
    });
  });
}
