import { type ChildProcess, spawn } from "node:child_process";
import { join } from "node:path";
import { createInterface } from "node:readline";

const script = join(import.meta.dirname, "foreign-workload-main.ts");

/** A process of another user that holds a Workload API stream. Only root can start one. */
export class ForeignWorkload implements AsyncDisposable {
  readonly #child: ChildProcess;
  /** Resolves with the SPIFFE IDs of its first answer. */
  readonly first: Promise<readonly string[]>;
  readonly #exited: Promise<void>;

  private constructor(child: ChildProcess) {
    this.#child = child;
    this.#exited = new Promise((resolve) => child.once("exit", () => resolve()));
    this.first = firstLine(child);
  }

  static start(socketPath: string, uid: number): ForeignWorkload {
    const stdio = ["ignore", "pipe", "inherit"] as const;
    const args = ["--max-old-space-size=32", script, socketPath];
    return new ForeignWorkload(spawn(process.execPath, args, { uid, gid: uid, stdio: [...stdio] }));
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.kill("SIGKILL");
    await this.#exited;
  }
}

async function firstLine(child: ChildProcess): Promise<readonly string[]> {
  if (child.stdout === null) throw new Error("no standard output");
  for await (const line of createInterface({ input: child.stdout })) return line.split(" ");
  throw new Error("the workload ended without an answer");
}
