// Connections on a real Unix socket: who is on the other end, who may come in, and what happens to the socket itself.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readdirSync, statSync } from "node:fs";
import { chmod, readdir, rename, writeFile } from "node:fs/promises";
import { connect, createServer, type Socket } from "node:net";
import { text } from "node:stream/consumers";
import { describe, it } from "node:test";
import koffi from "koffi";
import { createLogger } from "../../runtime/log.ts";
import type { PeerCredentials } from "../../runtime/peer/credentials.ts";
import { openLinuxReader } from "../../runtime/peer/linux.ts";
import { PeerGoneError } from "../../runtime/peer/peer-gone-error.ts";
import { isSameProcess } from "../../runtime/peer/process-watch.ts";
import { UnixListener, type UnixListenerOptions } from "../../runtime/peer/unix-listener.ts";
import { systemRandom } from "../../runtime/random.ts";
import { eventually } from "../support/eventually.ts";
import { requires } from "../support/requires.ts";
import { TempDir } from "../support/temp-dir.ts";

interface Accepted {
  readonly socket: Socket;
  readonly peer: PeerCredentials;
  readonly connectionId: string;
}

async function open(
  path: string,
  options: Partial<UnixListenerOptions> = {},
): Promise<{ listener: UnixListener; accepted: Accepted[] }> {
  const accepted: Accepted[] = [];
  const listener = await UnixListener.open({
    endpoint: { path, mode: 0o600 },
    maxConnections: 1000,
    onConnection: (socket, peer, connectionId) => {
      accepted.push({ socket, peer, connectionId });
      socket.end("welcome");
      socket.resume();
    },
    log: createLogger({ level: "error", format: "json", destination: { write: () => {} } }),
    random: systemRandom,
    ...options,
  });
  return { listener, accepted };
}

/** What the other side said before it closed the connection. */
async function hear(path: string): Promise<string> {
  const socket = connect(path);
  let heard = "";
  socket.setEncoding("utf8");
  socket.on("error", () => {});
  socket.on("data", (text: string) => {
    heard += text;
  });
  await new Promise<void>((resolve) => {
    socket.once("close", () => resolve());
  });
  return heard;
}

const openDescriptors = (): number => readdirSync("/proc/self/fd").length;

if (requires("linux")) {
  describe("a caller", () => {
    it("is known by pid, uid and gid, and as a running process", async () => {
      await using dir = await TempDir.open();
      const { listener, accepted } = await open(dir.join("s"), {
        onConnection: (socket, peer, connectionId) => accepted.push({ socket, peer, connectionId }),
      });
      await using _ = listener;
      const socket = connect(dir.join("s"));
      const { peer, connectionId } = await eventually("the connection", () => accepted[0]);
      assert.equal(peer.pid, process.pid);
      assert.equal(peer.uid, process.getuid?.());
      assert.equal(peer.gid, process.getgid?.());
      assert.match(connectionId, /^[0-9a-f]{12}-1$/);
      assert.equal(isSameProcess(peer), true);
      socket.destroy();
      await eventually("the handle to be closed", () => !isSameProcess(peer) || undefined);
    });

    it("is no longer the same once its process has ended, even if its connection lives on", async () => {
      await using dir = await TempDir.open();
      const { listener, accepted } = await open(dir.join("s"), {
        onConnection: (socket, peer, connectionId) => accepted.push({ socket, peer, connectionId }),
      });
      await using _ = listener;
      // The parent connects and ends; its child keeps the descriptor open.
      const script = `
        const socket = require("net").connect(process.argv[1], () => {
          const fd = socket._handle.fd;
          require("child_process").spawn("sleep", ["60"], { stdio: ["ignore", "ignore", "ignore", fd] });
          console.log("inherited");
        });`;
      const child = spawn(process.execPath, ["-e", script, dir.join("s")], {
        stdio: ["ignore", "pipe", "inherit"],
        detached: true,
      });
      try {
        await once(child.stdout, "data");
        const { peer, socket } = await eventually("the connection", () => accepted[0]);
        assert.equal(peer.pid, child.pid);
        assert.equal(isSameProcess(peer), true);
        child.kill("SIGKILL");
        await once(child, "exit");
        assert.equal(isSameProcess(peer), false);
        assert.equal(socket.destroyed, false);
      } finally {
        if (child.pid !== undefined) process.kill(-child.pid, "SIGKILL");
        for (const { socket } of accepted) socket.destroy();
      }
    });

    it("is known by a handle and a start time where the kernel gives no handle with the socket", async () => {
      await using dir = await TempDir.open();
      const { listener, accepted } = await open(dir.join("s"), {
        peers: openLinuxReader({ hasPeerPidFd: false }),
        onConnection: (socket, peer, connectionId) => accepted.push({ socket, peer, connectionId }),
      });
      await using _ = listener;
      const socket = connect(dir.join("s"));
      const { peer } = await eventually("the connection", () => accepted[0]);
      assert.match(peer.startTime ?? "", /^\d+$/);
      assert.equal(isSameProcess(peer), true);
      assert.equal(isSameProcess({ ...peer, startTime: "1" }), false);
      socket.destroy();
    });

    it("that is gone or cannot be known is disconnected", async () => {
      await using dir = await TempDir.open();
      for (const err of [new PeerGoneError("gone"), new Error("errno 9")]) {
        const read = (): never => {
          throw err;
        };
        const { listener, accepted } = await open(dir.join("s"), {
          peers: { read, knowsThoseWhoWaited: true },
        });
        await using _ = listener;
        assert.equal(await hear(dir.join("s")), "");
        assert.equal(accepted.length, 0);
      }
    });

    it("leaves no descriptor behind, admitted or not", async () => {
      await using dir = await TempDir.open();
      let turn = 0;
      const { listener } = await open(dir.join("s"), { admit: () => turn++ % 2 === 0 });
      await using _ = listener;
      await hear(dir.join("s"));
      await eventually("it to be closed", () => listener.connectionCount === 0 || undefined);
      const before = openDescriptors();
      for (let i = 0; i < 100; i++) await hear(dir.join("s"));
      await eventually("all to be closed", () => listener.connectionCount === 0 || undefined);
      assert.ok(openDescriptors() <= before);
    });
  });

  describe("a crowd", () => {
    it("of one caller is turned away at its limit", async () => {
      await using dir = await TempDir.open();
      let admitted = 0;
      const { listener } = await open(dir.join("s"), { admit: () => ++admitted <= 2 });
      await using _ = listener;
      const heard = [];
      for (let i = 0; i < 4; i++) heard.push(await hear(dir.join("s")));
      assert.deepEqual(heard, ["welcome", "welcome", "", ""]);
    });

    it("of all callers is turned away at the total", async () => {
      await using dir = await TempDir.open();
      const { listener, accepted } = await open(dir.join("s"), {
        maxConnections: 2,
        onConnection: (socket, peer, connectionId) => accepted.push({ socket, peer, connectionId }),
      });
      await using _ = listener;
      const guests = [connect(dir.join("s")), connect(dir.join("s"))];
      await eventually("both", () => accepted.length === 2 || undefined);
      assert.equal(await hear(dir.join("s")), "");
      for (const guest of guests) guest.destroy();
      await eventually("both to be gone", () => listener.connectionCount === 0 || undefined);
    });

    if (requires("root")) {
      it("of 10,000 connections from one uid leaves another uid served", async () => {
        await using dir = await TempDir.open();
        await chmod(dir.path, 0o755);
        const connections = new Map<number, number>();
        let refused = 0;
        const { listener } = await open(dir.join("s"), {
          endpoint: { path: dir.join("s"), mode: 0o666 },
          admit: ({ uid }) => {
            const open = connections.get(uid) ?? 0;
            if (uid !== 0 && open >= 50) {
              refused += 1;
              return false;
            }
            connections.set(uid, open + 1);
            return true;
          },
          onConnection: (socket, { uid }) => {
            socket.once("close", () => connections.set(uid, (connections.get(uid) ?? 0) - 1));
            socket.resume();
            if (uid === 0) socket.end("welcome");
          },
        });
        await using _ = listener;
        const attacker = spawn(process.execPath, ["-e", FLOOD, dir.join("s")], {
          uid: 65534,
          gid: 65534,
          stdio: ["ignore", "ignore", "inherit"],
        });
        try {
          await eventually("the flood to begin", () => refused > 100 || undefined);
          while (refused < 10_000) assert.equal(await hear(dir.join("s")), "welcome");
          assert.equal(connections.get(65534), 50);
        } finally {
          attacker.kill("SIGKILL");
          await once(attacker, "exit");
        }
        await eventually("all to be gone", () => listener.connectionCount === 0 || undefined);
      });
    }
  });
}

describe("the socket", () => {
  it("has its permissions and leaves nothing else behind", async () => {
    await using dir = await TempDir.open();
    const { listener } = await open(dir.join("s"), {
      endpoint: { path: dir.join("s"), mode: 0o660 },
    });
    assert.equal(statSync(dir.join("s")).mode & 0o777, 0o660);
    assert.deepEqual(await readdir(dir.path), ["s"]);
    await listener[Symbol.asyncDispose]();
    await listener[Symbol.asyncDispose]();
    assert.deepEqual(await readdir(dir.path), []);
  });

  if (requires("linux"))
    it("replaces one that nobody listens on", async () => {
      await using dir = await TempDir.open();
      listenRaw(dir.join("s")).close();
      assert.equal(existsSync(dir.join("s")), true);
      await assert.rejects(once(connect(dir.join("s")), "connect"), { code: "ECONNREFUSED" });
      const { listener } = await open(dir.join("s"));
      await using _ = listener;
      assert.equal(await hear(dir.join("s")), "welcome");
    });

  it("is not taken from somebody who listens", async () => {
    await using dir = await TempDir.open();
    const { listener } = await open(dir.join("s"));
    await using _ = listener;
    await assert.rejects(open(dir.join("s")), {
      message: `somebody listens on the socket already: ${dir.join("s")}`,
    });
    assert.equal(await hear(dir.join("s")), "welcome");
    assert.deepEqual(await readdir(dir.path), ["s"]);
  });

  it("does not replace a file", async () => {
    await using dir = await TempDir.open();
    await writeFile(dir.join("s"), "precious");
    await assert.rejects(open(dir.join("s")), {
      message: `socket path is taken by something else: ${dir.join("s")}`,
    });
  });

  it("is not removed at the end when it is somebody else's by then", async () => {
    await using dir = await TempDir.open();
    const { listener } = await open(dir.join("s"));
    const other = createServer().listen(dir.join("t"));
    await once(other, "listening");
    await rename(dir.join("t"), dir.join("s"));
    await listener[Symbol.asyncDispose]();
    assert.equal(existsSync(dir.join("s")), true);
    other.close();
  });

  it("has a path that fits into an address", async () => {
    await using dir = await TempDir.open();
    const long = dir.join("x".repeat(108));
    await assert.rejects(open(long), { message: /^socket path is longer than \d+ bytes: / });
  });

  if (requires("linux"))
    it("may come from a supervisor, who keeps it", async () => {
      await using dir = await TempDir.open();
      const { fd } = listenRaw(dir.join("s"));
      const { listener } = await open("", { endpoint: { fd } });
      assert.equal(await hear(dir.join("s")), "welcome");
      await listener[Symbol.asyncDispose]();
      assert.equal(existsSync(dir.join("s")), true);
    });

  if (requires("linux"))
    it("serves those who waited only where the kernel still knows them", async () => {
      for (const hasPeerPidFd of [true, false]) {
        await using dir = await TempDir.open();
        const { fd } = listenRaw(dir.join("s"));
        const waiting = [connect(dir.join("s")), connect(dir.join("s"))];
        await Promise.all(waiting.map((socket) => once(socket, "connect")));
        const peers = openLinuxReader(hasPeerPidFd ? {} : { hasPeerPidFd });
        // A kernel before 6.5 has the answer of the second round for both.
        const isKept = peers.knowsThoseWhoWaited;
        const { listener } = await open("", { endpoint: { fd }, peers });
        await using _ = listener;
        for (const socket of waiting) {
          const heard = await text(socket).catch(() => "");
          assert.equal(heard, isKept ? "welcome" : "");
        }
        assert.equal(await hear(dir.join("s")), "welcome");
      }
    });
});

/** Opens as many connections as it can, holds them, and starts over when they are closed. */
const FLOOD = `
  const net = require("net");
  const open = () => {
    const socket = net.connect(process.argv[1]);
    socket.on("error", () => {});
    socket.on("close", () => setImmediate(open));
  };
  for (let i = 0; i < 1000; i++) open();
`;

/** A listening socket as a supervisor makes it: without node, which would accept on it. */
function listenRaw(path: string): { fd: number; close(): void } {
  const libc = koffi.load(null);
  const socket = libc.func("int socket(int domain, int type, int protocol)");
  const bind = libc.func("int bind(int fd, uint8_t *address, uint32_t length)");
  const listen = libc.func("int listen(int fd, int backlog)");
  const close = libc.func("int close(int fd)");
  const AF_UNIX = 1;
  const fd = socket(AF_UNIX, 1, 0);
  const address = Buffer.alloc(110);
  address.writeUInt16LE(AF_UNIX);
  address.write(path, 2);
  assert.equal(bind(fd, address, address.length), 0);
  assert.equal(listen(fd, 16), 0);
  return { fd, close: () => close(fd) };
}
