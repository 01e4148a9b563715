import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { copyFile, link, mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import type { Order, Report } from "./messages.ts";

/** A demo service as a process with an executable of its own, which is what tells it from the others. */
export class Service implements AsyncDisposable {
  readonly executable: string;
  /** All it said so far. */
  readonly reports: Report[] = [];
  readonly #child: ChildProcess;
  readonly #exited: Promise<void>;
  #wake: () => void = () => {};
  #ended = false;

  private constructor(executable: string, child: ChildProcess) {
    this.executable = executable;
    this.#child = child;
    child.on("message", (message: Report) => {
      this.reports.push(message);
      this.#wake();
    });
    this.#exited = new Promise((resolve) => {
      child.once("exit", () => {
        this.#ended = true;
        this.#wake();
        resolve();
      });
    });
  }

  /** Where the executable of a service lies. */
  static executableOf(folder: string, name: string): string {
    return join(folder, name);
  }

  /** Starts `name`.ts of this folder under a link to our Node in `folder`. */
  static async start(o: {
    readonly name: string;
    readonly folder: string;
    readonly args: readonly string[];
    readonly workloadSocket: string;
  }): Promise<Service> {
    const executable = Service.executableOf(o.folder, o.name);
    await mkdir(o.folder, { recursive: true });
    await rm(executable, { force: true });
    // Another file system has no room for a second name of the same file.
    await link(process.execPath, executable).catch(() => copyFile(process.execPath, executable));
    const child = fork(join(import.meta.dirname, `${o.name}.ts`), o.args, {
      execPath: executable,
      execArgv: [],
      stdio: ["ignore", "inherit", "inherit", "ipc"],
      env: { ...process.env, SPIFFE_ENDPOINT_SOCKET: `unix://${o.workloadSocket}` },
    });
    await once(child, "spawn");
    return new Service(executable, child);
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  order(order: Order): void {
    this.#child.send(order);
  }

  /**
   * The first report of this kind that fits, from the one numbered `since` on, as soon as it is there.
   *
   * @throws {Error} when the process ends before
   */
  async next<K extends Report["kind"]>(
    kind: K,
    fits: (report: Extract<Report, { kind: K }>) => boolean = () => true,
    since: number = this.reports.length,
  ): Promise<Extract<Report, { kind: K }>> {
    for (let index = since; ; ) {
      const report = this.reports[index];
      if (report === undefined) {
        if (this.#ended) throw new Error(`the service ${this.executable} ended`);
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
        continue;
      }
      index += 1;
      if (isKind(report, kind) && fits(report)) return report;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.kill("SIGKILL");
    await this.#exited;
  }
}

function isKind<K extends Report["kind"]>(
  report: Report,
  kind: K,
): report is Extract<Report, { kind: K }> {
  return report.kind === kind;
}
