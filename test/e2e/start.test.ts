// The commands of a new user: `npm start`, again tomorrow, and `npm run demo`.

import assert from "node:assert/strict";
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { chown, glob, readFile, stat } from "node:fs/promises";
import { join, relative } from "node:path";
import { text } from "node:stream/consumers";
import { suite, test } from "node:test";
import { X509Source } from "../../spiffe/client.ts";
import { eventually } from "../support/eventually.ts";
import { requires } from "../support/requires.ts";
import { root } from "../support/sources.ts";
import { TempDir } from "../support/temp-dir.ts";

/** What a command of package.json does, with its output at hand. */
class Command implements AsyncDisposable {
  readonly #child: ChildProcess;
  readonly exited: Promise<number | null>;
  readonly errors: Promise<string>;
  output = "";

  constructor(command: string | readonly [string, readonly string[]], home: string) {
    const { CI: _, NODE_TEST_CONTEXT: __, ...env } = process.env;
    const enter = join(root, "bin", "enter.mjs");
    const [file, args] =
      typeof command === "string" ? [process.execPath, [enter, command]] : command;
    const child = spawn(file, args, {
      env: { ...env, ASSAY_HOME: home },
      stdio: ["ignore", "pipe", "pipe"],
    });
    child.stdout.on("data", (chunk) => {
      this.output += chunk;
    });
    this.errors = text(child.stderr);
    this.exited = new Promise((resolve) => child.once("exit", (code) => resolve(code)));
    this.#child = child;
  }

  async untilUp(): Promise<void> {
    const isUp = async (): Promise<true | undefined> => {
      if (this.#child.exitCode !== null) throw new Error(await this.errors);
      return this.output.includes("Ctrl-C") ? true : undefined;
    };
    await eventually("the welcome", isUp, { timeoutMs: 60_000 });
  }

  interrupt(): void {
    this.#child.kill("SIGINT");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.kill("SIGINT");
    await this.exited;
  }
}

interface Seen {
  readonly id: string;
  readonly issuer: string;
}

/** The address and the identity that were printed. */
function welcomed(output: string): readonly string[] {
  return ["Workload API: +(\\S+)", "Your identity: (\\S+)"].map(
    (pattern) => new RegExp(pattern).exec(output)?.[1] ?? "",
  );
}

/** What a workload gets that believes what was printed. */
async function fetchAsPrinted(output: string): Promise<Seen> {
  const [address = "", id = ""] = welcomed(output);
  await using source = await X509Source.open({ address, signal: AbortSignal.timeout(60_000) });
  const { leaf } = source.x509Svid();
  assert.equal(source.x509Svid().id.toString(), id);
  return { id, issuer: Buffer.from(leaf.authorityKeyId ?? []).toString("hex") };
}

/** Somebody without any rights here. */
const ordinary = { uid: 65_534, gid: 65_534 };

/** The checkout as every user can read it, for one command line. Whoever may not look into the folders above it may look at this. */
function asOrdinaryUser(...args: readonly string[]): readonly [string, readonly string[]] {
  const { uid, gid } = ordinary;
  const script = `mount --bind "$0" /mnt && cd /mnt && exec setpriv --reuid=${uid} --regid=${gid} --clear-groups "$@"`;
  const inside = relative(root, process.execPath);
  const command = [inside.startsWith("..") ? process.execPath : inside, ...args];
  return ["unshare", ["--mount", "sh", "-c", script, root, ...command]];
}

if (requires("linux", "root", "mount", "unshare")) {
  suite("npm start", () => {
    test("serves an ordinary user, who needs no rights", async () => {
      await using dir = await TempDir.open(0o755);
      await chown(dir.path, ordinary.uid, ordinary.gid);
      const [file, args] = asOrdinaryUser("bin/enter.mjs", "start");
      await using start = new Command([file, args], dir.path);
      await start.untilUp();
      const [address = "", id = ""] = welcomed(start.output);
      const [fetchFile, fetchArgs] = asOrdinaryUser("bin/assay.mjs", "x509", "fetch");
      const { stdout, stderr } = spawnSync(fetchFile, fetchArgs, {
        env: { ...process.env, SPIFFE_ENDPOINT_SOCKET: address },
        encoding: "utf8",
      });
      assert.ok(stdout.includes(id), stderr);
      assert.equal((await stat(join(dir.path, "server.yaml"))).uid, ordinary.uid);
    });
  });
}

if (requires("linux")) {
  suite("npm start", () => {
    test("gives this user an identity, and the next start goes on from there", async () => {
      await using dir = await TempDir.open();
      const seen: Seen[] = [];
      for (let run = 0; run < 2; run++) {
        await using start = new Command("start", dir.path);
        await start.untilUp();
        assert.ok(start.output.trimEnd().split("\n").length <= 10, start.output);
        seen.push(await fetchAsPrinted(start.output));
        start.interrupt();
        assert.equal(await start.exited, 0);
        assert.match(await readFile(join(dir.path, "server.log"), "utf8"), /Server stopped\n$/);
        assert.match(await readFile(join(dir.path, "agent.log"), "utf8"), /Agent stopped\n$/);
      }
      assert.deepEqual(seen[1], seen[0]);
    });

    test("while it runs, a second start says so", async () => {
      await using dir = await TempDir.open();
      await using start = new Command("start", dir.path);
      await start.untilUp();
      await using second = new Command("start", dir.path);
      assert.equal(await second.exited, 1);
      assert.match(await second.errors, /^assay: already running with the state in /);
    });

    test("when one of its processes dies it ends, and shows that one's last words", async () => {
      await using dir = await TempDir.open();
      await using start = new Command("start", dir.path);
      await start.untilUp();
      process.kill(await pidOf(join(dir.path, "agent.yaml")), "SIGKILL");
      assert.equal(await start.exited, 1);
      const errors = await start.errors;
      assert.match(errors, /^assay: the agent ended \(SIGKILL\); the end of .*agent\.log:\n/);
      assert.match(await readFile(join(dir.path, "server.log"), "utf8"), /Server stopped\n$/);
    });
  });

  suite("npm run demo", () => {
    test("everything that it tells happens", async () => {
      await using dir = await TempDir.open();
      await using demo = new Command("demo", dir.path);
      assert.equal(await demo.exited, 0, `${demo.output}\n${await demo.errors}`);
      assert.match(demo.output, / calls meanwhile, 0 failed\n/);
      assert.match(demo.output, /All of it happened, in /);
    });
  });
}

/** The process that was started with this configuration. */
async function pidOf(configPath: string): Promise<number> {
  for await (const path of glob("/proc/[0-9]*/cmdline")) {
    const args = (await readFile(path, "utf8").catch(() => "")).split("\0");
    if (args.includes(configPath)) return Number(path.split("/")[2]);
  }
  throw new Error(`no process was started with ${configPath}`);
}
