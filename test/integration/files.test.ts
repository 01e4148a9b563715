// `assay files run` against a real Workload API socket: files, programs that are told, commands that are looked after.

import assert from "node:assert/strict";
import { execFile, execFileSync } from "node:child_process";
import { EventEmitter } from "node:events";
import { chown, mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { describe, it } from "node:test";
import { promisify } from "node:util";
import { type FilesConfig, filesConfigSchema } from "../../agent/config/files-config.ts";
import { type FilesDeps, writeOnce } from "../../agent/files/identity-files.ts";
import { runFiles } from "../../agent/files/run-files.ts";
import { runFilesReloading } from "../../agent/files/run-files-reloading.ts";
import { parseConfig } from "../../runtime/config/load.ts";
import { systemRandom } from "../../runtime/random.ts";
import { parseCertificatesPem } from "../../spiffe/x509/certificate-pem.ts";
import { RecordingLog } from "../fakes/recording-log.ts";
import { eventually } from "../support/eventually.ts";
import { requires } from "../support/requires.ts";
import { TempDir } from "../support/temp-dir.ts";
import { clockAtTestNow, WorkloadMachine } from "../support/workload-machine.ts";

const never = new AbortController().signal;

/** The process, in this one. */
class RunningFiles implements AsyncDisposable {
  readonly log: RecordingLog = new RecordingLog();
  readonly exitCode: Promise<number>;
  readonly #stop = new AbortController();

  constructor(config: FilesConfig) {
    this.exitCode = runFiles(config, depsWith(this.log), this.#stop.signal);
  }

  said(message: string): Promise<unknown> {
    return eventually(`the message ${message}`, () =>
      this.log.messages().includes(message) ? true : undefined,
    );
  }

  stop(): Promise<number> {
    this.#stop.abort();
    return this.exitCode;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await this.exitCode.catch(() => {});
  }
}

function depsWith(log: RecordingLog): FilesDeps {
  return { env: {}, clock: clockAtTestNow, random: systemRandom, log: log.log };
}

function configOf(machine: WorkloadMachine, dir: TempDir, more = ""): FilesConfig {
  const text = `
address: ${machine.address}
directory: ${dir.join("out")}
files:
  - { name: svid.pem, type: pem, holds: [chain] }
  - { name: svid.key, type: pem, holds: [key] }
  - { name: bundle.pem, type: pem, holds: [bundle] }
  - { name: token, type: jwt, audience: [a] }
  - { name: jwks.json, type: jwks }
observability: { port: 0 }
${more}
`;
  return parseConfig(filesConfigSchema, text, "files.yaml");
}

async function serialIn(dir: TempDir): Promise<string | undefined> {
  const [leaf] = parseCertificatesPem(await readFile(dir.join("out", "svid.pem"), "utf8"));
  return leaf?.serialNumberHex;
}

describe("assay files run", () => {
  it("writes once everything is there, and again at each rotation", async () => {
    await using machine = await WorkloadMachine.open();
    await using dir = await TempDir.open();
    await using files = new RunningFiles(configOf(machine, dir));
    await files.said("Workload API does not give what is asked for");
    machine.views.grant("/web");
    await files.said("Wrote files");
    const first = await serialIn(dir);
    const token = await readFile(dir.join("out", "token"), "utf8");
    assert.equal(token.split(".").length, 3);
    assert.equal(JSON.parse(await readFile(dir.join("out", "jwks.json"), "utf8")).keys.length, 1);
    machine.views.grant("/web");
    await eventually("another certificate", async () =>
      (await serialIn(dir)) === first ? undefined : true,
    );
  });

  it("keeps the files of a withdrawn identity, or removes them", async () => {
    await using machine = await WorkloadMachine.open();
    await using kept = await TempDir.open();
    await using removed = await TempDir.open();
    machine.views.grant("/web");
    await using keeping = new RunningFiles(configOf(machine, kept));
    await using removing = new RunningFiles(
      configOf(machine, removed, "withdrawal: { action: remove, after: 10ms }"),
    );
    await keeping.said("Wrote files");
    await removing.said("Wrote files");
    machine.views.grant();
    await keeping.said("Identity is granted no longer");
    await removing.said("Identity is granted no longer, files were removed");
    assert.ok(await serialIn(kept));
    assert.deepEqual(await readdir(removed.join("out")), []);
    machine.views.grant("/web");
    await eventually("the files again", () => serialIn(removed));
  });

  it("removes what an earlier run has left of an identity that is not granted", async () => {
    await using machine = await WorkloadMachine.open();
    await using dir = await TempDir.open();
    machine.views.grant("/web");
    await writeOnce(configOf(machine, dir), depsWith(new RecordingLog()), 5_000, never);
    machine.views.grant();
    const more = "withdrawal: { action: remove, after: 10ms }";
    await using files = new RunningFiles(configOf(machine, dir, more));
    await files.said("Identity is granted no longer, files were removed");
    assert.deepEqual(await readdir(dir.join("out")), []);
  });

  it("takes an identity by its SPIFFE ID", async () => {
    await using machine = await WorkloadMachine.open();
    await using dir = await TempDir.open();
    machine.views.grant("/web", "/db");
    const more = "identity: { spiffeId: spiffe://td.test/db }";
    await using files = new RunningFiles(configOf(machine, dir, more));
    await files.said("Wrote files");
    const [leaf] = parseCertificatesPem(await readFile(dir.join("out", "svid.pem"), "utf8"));
    assert.deepEqual(leaf?.uriSans.map(String), ["spiffe://td.test/db"]);
  });

  it("writes the others while the bundle of one trust domain is missing", async () => {
    await using machine = await WorkloadMachine.open();
    await using dir = await TempDir.open();
    machine.views.grant("/web");
    const config = configOf(machine, dir);
    const other = parseConfig(
      filesConfigSchema,
      "directory: /x\nfiles: [{ name: other.pem, type: pem, holds: [bundle], trustDomain: other.test }]",
      "files.yaml",
    );
    await using files = new RunningFiles({ ...config, files: [...config.files, ...other.files] });
    await files.said("Files left out for want of a bundle");
    assert.ok(await serialIn(dir));
    assert.equal((await readdir(dir.join("out"))).includes("other.pem"), false);
  });

  it("tries again when the folder cannot be written, and says so", async () => {
    await using machine = await WorkloadMachine.open();
    await using dir = await TempDir.open();
    machine.views.grant("/web");
    await writeFile(dir.join("out"), "in the way");
    await using files = new RunningFiles(configOf(machine, dir));
    await files.said("Files could not be written");
    await rm(dir.join("out"));
    await files.said("Wrote files");
  });

  if (requires("linux", "mount")) {
    it("keeps the old files whole on a full disk, and writes when there is room", async () => {
      await using machine = await WorkloadMachine.open();
      await using dir = await TempDir.open();
      await using stack = new AsyncDisposableStack();
      await mkdir(dir.join("out"));
      execFileSync("mount", ["-t", "tmpfs", "-o", "size=256k", "tmpfs", dir.join("out")]);
      stack.defer(() => void execFileSync("umount", ["--lazy", dir.join("out")]));
      machine.views.grant("/web");
      await using files = new RunningFiles(configOf(machine, dir));
      await files.said("Wrote files");
      const first = await serialIn(dir);
      const ballast = dir.join("out", "ballast");
      await assert.rejects(writeFile(ballast, Buffer.alloc(512 * 1024)), { code: "ENOSPC" });
      machine.views.grant("/web");
      await files.said("Files could not be written");
      assert.equal(await serialIn(dir), first);
      await rm(ballast);
      await eventually("another certificate", async () =>
        (await serialIn(dir)) === first ? undefined : true,
      );
    });
  }

  it("runs a command after each change", async () => {
    await using machine = await WorkloadMachine.open();
    await using dir = await TempDir.open();
    machine.views.grant("/web");
    const run = JSON.stringify(["sh", "-c", `echo told >> ${dir.join("told")}`]);
    const more = `reload: [{ type: command, run: ${run} }]`;
    await using files = new RunningFiles(configOf(machine, dir, more));
    const times = (count: number) =>
      eventually(`${count} times`, async () =>
        (await readFile(dir.join("told"), "utf8")) === "told\n".repeat(count) ? true : undefined,
      );
    await times(1);
    machine.views.grant("/web");
    await times(2);
    assert.equal(files.log.messages("warn").length, 0);
  });

  it("is degraded while a program cannot be told, and goes on", async () => {
    await using machine = await WorkloadMachine.open();
    await using dir = await TempDir.open();
    machine.views.grant("/web");
    await writeFile(dir.join("pid"), "nonsense");
    const more = `reload: [{ type: pidFile, path: ${dir.join("pid")} }]`;
    await using files = new RunningFiles(configOf(machine, dir, more));
    await files.said("Wrote files");
    const first = await serialIn(dir);
    machine.views.grant("/web");
    await files.said("Program could not be told of new files");
    assert.notEqual(await serialIn(dir), first);
  });
});

/** Tells what happens to it, and ends with 7 when it is asked to. */
function chattyCommand(dir: TempDir): string {
  const say = (word: string): string => `echo ${word} >> ${dir.join("said")}`;
  const script = `trap '${say("hup")}' HUP; trap '${say("term")}; exit 7' TERM; ${say("up")}; while :; do sleep 0.05; done`;
  return JSON.stringify(["sh", "-c", script]);
}

if (requires("root")) {
  it("says what stands in the way of files for another user", async () => {
    await using dir = await TempDir.open();
    await chown(dir.join("."), 65534, 65534);
    const module = new URL("../../runtime/files/replace-file.ts", import.meta.url);
    const options = "{ mode: 0o600, uid: 0, gid: 33 }";
    const script = `import { replaceFile } from "${module}"; await replaceFile("${dir.join("a")}", "", ${options});`;
    // What root may do anyway would not be seen in this process.
    const nobody = { uid: 65534, gid: 65534 };
    const command = ["--input-type=module", "--eval", script];
    const running = promisify(execFile)(process.execPath, command, nobody);
    await assert.rejects(running, ({ stderr }: { stderr: string }) => {
      assert.match(
        stderr,
        /a process of 65534:65534 may not give files to user 0 and group 33; it takes root or CAP_CHOWN/,
      );
      return true;
    });
  });
}

describe("assay files run at SIGHUP", () => {
  it("goes on with the configuration as it is now, and with the old one if that is no good", async () => {
    await using machine = await WorkloadMachine.open();
    await using dir = await TempDir.open();
    machine.views.grant("/web");
    const log = new RecordingLog();
    const signals = new EventEmitter();
    const configs = [
      () => configOf(machine, dir, "owner: no-such-user"),
      () => parseConfig(filesConfigSchema, "files: []", "files.yaml"),
      () => ({
        ...configOf(machine, dir),
        files: configOf(machine, dir).files.map((file) =>
          file.name === "token" ? { ...file, name: "token.jwt" } : file,
        ),
      }),
    ];
    const stop = new AbortController();
    const readConfig = async () => configs.shift()?.() ?? configOf(machine, dir);
    const deps = { ...depsWith(log), readConfig, signals };
    const running = runFilesReloading(configOf(machine, dir), deps, stop.signal);
    const serial = await eventually("the files", () => serialIn(dir));
    for (const refused of [1, 2]) {
      signals.emit("SIGHUP");
      await eventually("the refusal", () =>
        log.messages("error").length === refused ? true : undefined,
      );
    }
    assert.deepEqual(
      new Set(log.messages("error")),
      new Set(["Configuration was not read again, going on with the old one"]),
    );
    signals.emit("SIGHUP");
    await eventually("the new file", () => readFile(dir.join("out", "token.jwt"), "utf8"));
    assert.equal(await serialIn(dir), serial);
    stop.abort();
    assert.equal(await running, 0);
    assert.equal(signals.listenerCount("SIGHUP"), 0);
  });
});

describe("a command that assay files looks after", () => {
  const saidIn = (dir: TempDir, words: string) =>
    eventually(`the command to say ${words}`, async () => {
      const said = (await readFile(dir.join("said"), "utf8")).trim().split("\n").join(" ");
      return said === words ? true : undefined;
    });

  it("starts with the files, hears of new ones, and ends with us and its own exit code", async () => {
    await using machine = await WorkloadMachine.open();
    await using dir = await TempDir.open();
    const more = `command: { run: ${chattyCommand(dir)}, reloadSignal: SIGHUP }`;
    await using files = new RunningFiles(configOf(machine, dir, more));
    await files.said("Workload API does not give what is asked for");
    await assert.rejects(readFile(dir.join("said")), { code: "ENOENT" });
    machine.views.grant("/web");
    await saidIn(dir, "up");
    machine.views.grant("/web");
    await saidIn(dir, "up hup");
    assert.equal(await files.stop(), 7);
    await saidIn(dir, "up hup term");
  });

  it("ends this process when it ends", async () => {
    await using machine = await WorkloadMachine.open();
    await using dir = await TempDir.open();
    machine.views.grant("/web");
    const more = 'command: { run: ["sh", "-c", "exit 3"] }';
    await using files = new RunningFiles(configOf(machine, dir, more));
    assert.equal(await files.exitCode, 3);
  });

  it("starts again with the next files", async () => {
    await using machine = await WorkloadMachine.open();
    await using dir = await TempDir.open();
    machine.views.grant("/web");
    const run = JSON.stringify(["sh", "-c", `echo ran >> ${dir.join("said")}`]);
    const more = `command: { run: ${run}, restart: on-renewal }`;
    await using files = new RunningFiles(configOf(machine, dir, more));
    await saidIn(dir, "ran");
    await files.said("Command ended, it starts again with the next files");
    machine.views.grant("/web");
    await saidIn(dir, "ran ran");
    assert.equal(await files.stop(), 0);
  });

  it("is killed with what it started when it does not end", async () => {
    await using machine = await WorkloadMachine.open();
    await using dir = await TempDir.open();
    machine.views.grant("/web");
    const script = `trap '' TERM; sleep 1000 & echo $! > ${dir.join("said")}; wait; wait; sleep 1000`;
    const more = `command: { run: ${JSON.stringify(["sh", "-c", script])}, grace: 100ms }`;
    await using files = new RunningFiles(configOf(machine, dir, more));
    const pid = await eventually("its child", async () => {
      const text = await readFile(dir.join("said"), "utf8");
      return text.endsWith("\n") ? Number(text) : undefined;
    });
    assert.equal(await files.stop(), 128 + 9);
    assert.ok(files.log.messages().includes("Command did not end in time and was killed"));
    if (!requires("linux")) return;
    await eventually("the child's end", async () => {
      const state = await readFile(`/proc/${pid}/stat`, "utf8").catch(() => "(x) Z");
      return /\) [ZX]/.test(state) ? true : undefined;
    });
  });

  it("fails when it cannot be started", async () => {
    await using machine = await WorkloadMachine.open();
    await using dir = await TempDir.open();
    machine.views.grant("/web");
    const more = 'command: { run: ["/nowhere/program"] }';
    await using files = new RunningFiles(configOf(machine, dir, more));
    await assert.rejects(files.exitCode, (err) => {
      assert.ok(err instanceof Error);
      assert.match(String(err.cause), /starting the command/);
      return true;
    });
  });
});

describe("assay files run --once", () => {
  it("writes and ends", async () => {
    await using machine = await WorkloadMachine.open();
    await using dir = await TempDir.open();
    machine.views.grant("/web");
    await writeOnce(configOf(machine, dir), depsWith(new RecordingLog()), 5_000, never);
    assert.ok(await serialIn(dir));
  });

  it("tells having no identity from having no agent", async () => {
    await using machine = await WorkloadMachine.open();
    await using dir = await TempDir.open();
    const config = configOf(machine, dir);
    const once = (changed: Partial<FilesConfig>) =>
      writeOnce({ ...config, ...changed }, depsWith(new RecordingLog()), 300, never);
    await assert.rejects(once({}), { name: "CliError", exitCode: 4 });
    await assert.rejects(once({ address: `unix://${dir.join("no.sock")}` }), { exitCode: 5 });
  });

  it("does not wait when files cannot be written", async () => {
    await using machine = await WorkloadMachine.open();
    await using dir = await TempDir.open();
    machine.views.grant("/web");
    await writeFile(dir.join("out"), "in the way");
    await assert.rejects(
      writeOnce(configOf(machine, dir), depsWith(new RecordingLog()), 60_000, never),
      { code: "ENOTDIR" },
    );
  });
});
