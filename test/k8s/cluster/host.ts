import { type ChildProcess, execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { eventually } from "../../support/eventually.ts";
import { ControlGroup } from "./control-group.ts";

const execute = promisify(execFile);
const maxOutputBytes = 64 << 20;

/** What a machine is made of. */
export interface HostOptions {
  /** Its host name. */
  readonly name: string;
  /** Unlike that of any other machine of this kernel. */
  readonly cgroup: string;
  /** Folders outside, by the place where the machine sees them. */
  readonly binds: Readonly<Record<string, string>>;
  /** Put in front of PATH. */
  readonly binaries: string;
}

/**
 * A machine made of namespaces of this kernel: its own processes, network, mounts, host name and cgroups. The kernel ends all
 * of it when its first process ends, and that one ends with us, however we end.
 */
export class Host implements AsyncDisposable {
  readonly name: string;
  /** Of its first process, as seen from outside. */
  readonly pid: number;
  readonly #binaries: string;
  readonly #init: ChildProcess;
  readonly #cgroup: ControlGroup;

  private constructor(options: HostOptions, pid: number, init: ChildProcess, cgroup: ControlGroup) {
    this.name = options.name;
    this.pid = pid;
    this.#binaries = options.binaries;
    this.#init = init;
    this.#cgroup = cgroup;
  }

  static async start(options: HostOptions): Promise<Host> {
    const cgroup = await ControlGroup.make(options.cgroup);
    const script = join(import.meta.dirname, "host-init.sh");
    const binds = Object.entries(options.binds).flatMap(([inside, outside]) => [outside, inside]);
    const namespaces = ["--pid", "--fork", "--kill-child", "--mount", "--net", "--uts"];
    const init = spawn(
      "unshare",
      [...namespaces, "bash", script, options.name, options.cgroup, ...binds],
      { stdio: ["pipe", "pipe", "pipe"], detached: true },
    );
    let words = "";
    init.stderr.on("data", (chunk: Buffer) => {
      words += chunk.toString();
    });
    const ended = once(init, "close").then(() => undefined);
    const first = await Promise.race([once(init.stdout, "data"), ended]);
    if (String(first) !== "ready\n") {
      init.stdin.end();
      await ended;
      await cgroup[Symbol.asyncDispose]();
      throw new Error(`the machine ${options.name} did not start: ${words}`);
    }
    return new Host(options, await onlyChildOf(init.pid ?? 0), init, cgroup);
  }

  /** A path on the machine, as it can be opened from outside: files and Unix sockets. */
  path(inside: string): string {
    return `/proc/${this.pid}/root${inside}`;
  }

  /** The command that runs another one on the machine. */
  command(argv: readonly string[]): readonly [string, ...string[]] {
    const join = this.#cgroup.procsFiles.map((file) => `echo 0 >${file}`).join("; ");
    const enter = `nsenter --target ${this.pid} --mount --net --uts --pid --cgroup --wd=/`;
    const path = `${this.#binaries}:${process.env["PATH"] ?? ""}:/usr/sbin:/sbin`;
    return ["sh", "-c", `${join}; exec ${enter} -- env PATH="${path}" "$@"`, "sh", ...argv];
  }

  /**
   * Runs a command on the machine to its end.
   *
   * @returns what it printed
   * @throws {Error} with what it said when it fails
   */
  async run(argv: readonly string[], options: { readonly input?: string } = {}): Promise<string> {
    const [file, ...args] = this.command(argv);
    const running = execute(file, args, { maxBuffer: maxOutputBytes });
    running.child.stdin?.on("error", () => {});
    running.child.stdin?.end(options.input ?? "");
    try {
      return (await running).stdout;
    } catch (error) {
      const { stderr = "" } = error as { readonly stderr?: string };
      throw new Error(`on ${this.name}: ${argv.join(" ").slice(0, 500)}: ${stderr.trim()}`);
    }
  }

  /** Runs a command of ours in the machine's network and otherwise outside, where the numbers of all processes are known. */
  async runInNetwork(argv: readonly string[]): Promise<void> {
    await execute("nsenter", ["--target", String(this.pid), "--net", "--", ...argv]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#init.exitCode === null && this.#init.signalCode === null) {
      const ended = once(this.#init, "exit");
      this.#init.stdin?.end();
      await ended;
    }
    await this.#cgroup[Symbol.asyncDispose]();
  }
}

/** The process that `unshare` or `nsenter` forked, as seen from outside. */
export async function onlyChildOf(pid: number): Promise<number> {
  return eventually(`the child of process ${pid}`, async () => {
    const children = await readFile(`/proc/${pid}/task/${pid}/children`, "utf8");
    const [child] = children.trim().split(" ");
    return child === undefined || child === "" ? undefined : Number(child);
  });
}
