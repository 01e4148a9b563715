// Descriptors that go from one process to another over a Unix socket.

import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { openSync, readdirSync, readFileSync, readSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { createServer, type Server, type Socket } from "node:net";
import { describe, it } from "node:test";
import { Descriptor } from "../../runtime/peer/descriptor.ts";
import {
  DescriptorLineError,
  receiveDescriptorLine,
  sendDescriptorLine,
} from "../../runtime/peer/descriptor-line.ts";
import { openMessageCalls, type ReceivedPart } from "../../runtime/peer/message-calls.ts";
import { systemClock as clock } from "../../runtime/time/clock.ts";
import { requires } from "../support/requires.ts";
import { TempDir } from "../support/temp-dir.ts";

const { signal } = new AbortController();
const options = { maxBytes: 64, timeoutMs: 60_000, clock, signal };

/** Accepts one connection before any of it is read. */
async function acceptOne(path: string): Promise<{ server: Server; accepted: Promise<Socket> }> {
  const server = createServer({ pauseOnConnect: true });
  const accepted = once(server, "connection").then(([socket]): Socket => socket);
  server.listen(path);
  await once(server, "listening");
  return { server, accepted };
}

/** Another process, which connects and does what the script says with `socket`. */
function spawnPeer(path: string, script: string): ChildProcess {
  const file = (name: string): string => JSON.stringify(`${import.meta.dirname}/../../${name}`);
  const text = `
    import { connect } from "node:net";
    import { openSync, fstatSync } from "node:fs";
    import { once } from "node:events";
    import { sendDescriptorLine, receiveDescriptorLine } from ${file("runtime/peer/descriptor-line.ts")};
    import { systemClock as clock } from ${file("runtime/time/clock.ts")};
    const options = { maxBytes: 64, timeoutMs: 60_000, clock, signal: new AbortController().signal };
    const socket = connect(${JSON.stringify(path)});
    socket.pause();
    await once(socket, "connect");
    // A socket that is paused keeps no process.
    setInterval(() => {}, 60_000);
    ${script}`;
  return spawn(process.execPath, ["--input-type=module-typescript", "-e", text], {
    stdio: ["ignore", "pipe", "inherit"],
  });
}

async function stop(peer: ChildProcess): Promise<void> {
  if (peer.exitCode !== null || peer.signalCode !== null) return;
  peer.kill("SIGKILL");
  await once(peer, "exit");
}

const openDescriptors = (): number => readdirSync("/proc/self/fd").length;

/** A receiver that is given parts, and what of them it closed. */
function partsOf(...parts: readonly (ReceivedPart | undefined)[]) {
  const left = [...parts];
  return { send: () => 0, receive: () => left.shift() };
}

if (requires("linux")) {
  describe("a descriptor", () => {
    it("comes from another process with a line, and nothing of either is lost", async () => {
      await using dir = await TempDir.open();
      await writeFile(dir.join("file"), "contents");
      const { server, accepted } = await acceptOne(dir.join("s"));
      const peer = spawnPeer(
        dir.join("s"),
        `sendDescriptorLine(socket, "here", openSync(${JSON.stringify(dir.join("file"))}, "r"));`,
      );
      const socket = await accepted;
      const { text, descriptor } = await receiveDescriptorLine(socket, options);
      assert.equal(text, "here");
      assert.ok(descriptor !== undefined);
      using received = descriptor;
      const bytes = Buffer.alloc(20);
      assert.equal(bytes.toString("utf8", 0, readSync(received.fd, bytes)), "contents");
      // No program that is started from here gets it.
      const flags = readFileSync(`/proc/self/fdinfo/${received.fd}`, "utf8");
      assert.match(flags, /^flags:\s+0?2\d{6}$/m);
      await stop(peer);
      socket.destroy();
      server.close();
    });

    it("goes to another process, and stays open here", async () => {
      await using dir = await TempDir.open();
      await writeFile(dir.join("file"), "contents");
      using file = new Descriptor(openSync(dir.join("file"), "r"));
      const { server, accepted } = await acceptOne(dir.join("s"));
      const peer = spawnPeer(
        dir.join("s"),
        `const { text, descriptor } = await receiveDescriptorLine(socket, options);
         console.log(text, fstatSync(descriptor.fd).size);`,
      );
      const socket = await accepted;
      sendDescriptorLine(socket, "take", file.fd);
      const { stdout } = peer;
      assert.ok(stdout !== null);
      const [line]: Buffer[] = await once(stdout, "data");
      assert.equal(String(line), "take 8\n");
      assert.equal(readSync(file.fd, Buffer.alloc(20)), 8);
      await stop(peer);
      socket.destroy();
      server.close();
    });

    it("need not come: a line may be without", async () => {
      await using dir = await TempDir.open();
      const { server, accepted } = await acceptOne(dir.join("s"));
      const peer = spawnPeer(dir.join("s"), `sendDescriptorLine(socket, "no more than this");`);
      const socket = await accepted;
      assert.deepEqual(await receiveDescriptorLine(socket, options), { text: "no more than this" });
      await stop(peer);
      socket.destroy();
      server.close();
    });
  });

  describe("receiving", () => {
    /** Runs on a connected socket whose other end says nothing. */
    async function receive(calls: ReturnType<typeof partsOf> | undefined, timeoutMs = 10_000) {
      await using dir = await TempDir.open();
      const { server, accepted } = await acceptOne(dir.join("s"));
      const peer = spawnPeer(dir.join("s"), "");
      const socket = await accepted;
      try {
        return await receiveDescriptorLine(socket, { ...options, timeoutMs }, calls);
      } finally {
        await stop(peer);
        socket.destroy();
        server.close();
      }
    }
    const bytes = (text: string): Uint8Array => Buffer.from(text);
    const file = (): Descriptor => new Descriptor(openSync("/dev/null", "r"));

    it("puts a line together from whatever pieces come", async () => {
      const calls = partsOf(
        { bytes: bytes("a"), tooMany: false },
        undefined,
        { bytes: bytes("b"), tooMany: false, descriptor: file() },
        { bytes: bytes("\n"), tooMany: false },
      );
      const { text, descriptor } = await receive(calls);
      assert.equal(text, "ab");
      descriptor?.[Symbol.dispose]();
    });

    it("gives up on a peer that says nothing", async () => {
      await assert.rejects(receive(undefined, 30), { message: "no message came in time" });
    });

    const refused: Readonly<Record<string, () => readonly ReceivedPart[]>> = {
      "more than one descriptor": () => [
        { bytes: bytes("a"), tooMany: false, descriptor: file() },
        { bytes: bytes("b"), tooMany: false, descriptor: file() },
      ],
      "connection ended within a line": () => [
        { bytes: bytes("a"), tooMany: false, descriptor: file() },
        { bytes: bytes(""), tooMany: false },
      ],
      "line is too long": () => [
        { bytes: bytes("x".repeat(64)), tooMany: false, descriptor: file() },
        { bytes: bytes("\n"), tooMany: false },
      ],
      "more than one line": () => [{ bytes: bytes("a\nb\n"), tooMany: false, descriptor: file() }],
    };
    for (const [message, parts] of Object.entries(refused)) {
      it(`refuses "${message}" and leaves nothing open`, async () => {
        const before = openDescriptors();
        const given = parts();
        await assert.rejects(receive(partsOf(...given)), new DescriptorLineError(message));
        const left = given.flatMap(({ descriptor }) => descriptor ?? []);
        for (const descriptor of left) assert.throws(() => descriptor.fd);
        assert.ok(openDescriptors() <= before);
      });
    }

    if (requires("python"))
      it("has the kernel close what is more than one at once", async () => {
        await using dir = await TempDir.open();
        const { server, accepted } = await acceptOne(dir.join("s"));
        // Python sends what our own functions do not.
        const script = `
import array, socket, sys
s = socket.socket(socket.AF_UNIX); s.connect(sys.argv[1])
s.sendmsg([b"two\\n"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [0, 1]))])
s.recv(1)`;
        const peer = spawn("python3", ["-c", script, dir.join("s")], { stdio: "inherit" });
        const socket = await accepted;
        await assert.rejects(
          receiveDescriptorLine(socket, options),
          new DescriptorLineError("more than one descriptor"),
        );
        const before = openDescriptors();
        assert.equal(openMessageCalls().receive(Reflect.get(socket, "_handle").fd, 10), undefined);
        assert.ok(openDescriptors() <= before);
        await stop(peer);
        socket.destroy();
        server.close();
      });
  });
}

describe("passing descriptors", () => {
  it("is refused where it cannot be done", () => {
    assert.throws(() => openMessageCalls("win32"), {
      message: "passing descriptors is not supported on win32",
    });
  });
});
