// Sessions of psql: one that stays open, and many that come and go.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface, type Interface } from "node:readline";
import { text } from "node:stream/consumers";

/** Queries without end, each in a session of its own. */
export class SteadyQueries implements AsyncDisposable {
  readonly failures: string[] = [];
  done = 0;
  readonly #file: string;
  readonly #stop = new AbortController();
  readonly #running: Promise<unknown>;

  /** @param file script that runs psql with its arguments */
  constructor(file: string, clients = 2) {
    this.#file = file;
    this.#running = Promise.all(Array.from({ length: clients }, () => this.#client()));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await this.#running;
  }

  async #client(): Promise<void> {
    while (!this.#stop.signal.aborted) {
      const { code, output } = await query(this.#file, "select current_user");
      if (code === 0 && output === "orders\n") this.done += 1;
      else this.failures.push(output);
    }
  }
}

/** One query in a session of its own; the output holds what went wrong too. */
export async function query(
  file: string,
  sql: string,
): Promise<{ readonly code: number; readonly output: string }> {
  const child = spawn("sh", [file, "-XAtc", sql], { stdio: ["ignore", "pipe", "pipe"] });
  const [[code], output, errors] = await Promise.all([
    once(child, "exit"),
    text(child.stdout),
    text(child.stderr),
  ]);
  return { code, output: `${output}${errors}` };
}

/** A session that stays open. */
export class LiveSession implements AsyncDisposable {
  readonly #child;
  readonly #lines: Interface;

  constructor(file: string) {
    this.#child = spawn("sh", [file, "-XAt"], { stdio: ["pipe", "pipe", "inherit"] });
    this.#lines = createInterface(this.#child.stdout);
  }

  /** Asks, and waits for one line. @throws {Error} when the session has ended */
  async ask(sql: string): Promise<string> {
    const line = once(this.#lines, "line");
    const ended = once(this.#lines, "close").then(() => {
      throw new Error("the session has ended");
    });
    this.#child.stdin.write(`${sql};\n`);
    const [answer] = await Promise.race([line, ended]);
    return answer;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.stdin.end();
    if (this.#child.exitCode === null) await once(this.#child, "exit");
  }
}
