import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, openSync } from "node:fs";
import { readFile } from "node:fs/promises";
import type { Clock } from "../../runtime/time/clock.ts";

/** How a process ended: exactly one of the two is set. */
export interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** What to run, and where its output goes. */
export interface ChildOptions {
  /** For messages: "server", "agent". */
  readonly name: string;
  readonly file: string;
  readonly args: readonly string[];
  /** Takes standard output and standard error; begun anew. */
  readonly logPath: string;
  readonly env?: NodeJS.ProcessEnv;
}

/** A process of ours that runs until it is stopped, with its output in a file. */
export class Child {
  readonly name: string;
  readonly logPath: string;
  /** Resolves once the process has ended; never rejects. */
  readonly exited: Promise<Exit>;
  readonly #process: ChildProcess;

  private constructor(options: ChildOptions, child: ChildProcess, exited: Promise<Exit>) {
    this.name = options.name;
    this.logPath = options.logPath;
    this.exited = exited;
    this.#process = child;
  }

  /** Resolves when the process runs; whether it is ready is another question. @throws {Error} if the file cannot be run */
  static async start(options: ChildOptions): Promise<Child> {
    const log = openSync(options.logPath, "w", 0o600);
    try {
      const child = spawn(options.file, options.args, {
        stdio: ["ignore", log, log],
        env: options.env ?? process.env,
        // In a process group of its own: Ctrl-C is for whoever started it, who stops it in order.
        detached: true,
      });
      // However we end, it does not stay behind.
      const killWithUs = (): void => void child.kill("SIGKILL");
      process.once("exit", killWithUs);
      const exited = new Promise<Exit>((resolve) => {
        child.once("exit", (code, signal) => {
          process.off("exit", killWithUs);
          resolve({ code, signal });
        });
      });
      await once(child, "spawn");
      return new Child(options, child, exited);
    } finally {
      closeSync(log);
    }
  }

  get pid(): number {
    return this.#process.pid ?? 0;
  }

  get running(): boolean {
    return this.#process.exitCode === null && this.#process.signalCode === null;
  }

  /** Sends a signal; nothing happens if the process has ended. */
  kill(signal: NodeJS.Signals): void {
    this.#process.kill(signal);
  }

  /** Asks the process to end and waits; after `graceMs` it is killed. */
  async stop(clock: Clock, graceMs = 10_000): Promise<Exit> {
    this.kill("SIGTERM");
    const waited = new AbortController();
    const inTime = clock.sleep(graceMs, waited.signal).then(() => {
      if (!waited.signal.aborted) this.kill("SIGKILL");
    });
    const exit = await this.exited;
    waited.abort();
    await inTime;
    return exit;
  }

  /** The last lines of its output. */
  async lastLines(count: number): Promise<readonly string[]> {
    const text = await readFile(this.logPath, "utf8");
    return text.trimEnd().split("\n").slice(-count);
  }
}
