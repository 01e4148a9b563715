// The endpoint that means harm, as a process, and the trust domains that a server is told to have there.

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { request } from "node:https";
import { join } from "node:path";
import { createInterface } from "node:readline";

const script = join(import.meta.dirname, "poisoned-endpoint-main.ts");

export class PoisonedEndpoint implements AsyncDisposable {
  /** Who vouches for its certificate, in PEM. */
  readonly authority: string;
  readonly #base: string;
  readonly #child: ChildProcess;
  readonly #sent = new Map<string, number>();

  private constructor(child: ChildProcess, told: { readonly url: string; authority: string }) {
    this.#child = child;
    this.#base = told.url;
    this.authority = told.authority;
  }

  static async start(): Promise<PoisonedEndpoint> {
    const child = spawn(process.execPath, [script], { stdio: ["ignore", "pipe", "inherit"] });
    const lines = createInterface({ input: child.stdout });
    const [first] = await once(lines, "line");
    const endpoint = new PoisonedEndpoint(child, JSON.parse(first));
    lines.on("line", (line) => {
      const { path, sentBytes } = JSON.parse(line);
      endpoint.#sent.set(path, sentBytes);
    });
    return endpoint;
  }

  url(path: string): string {
    return new URL(path, this.#base).href;
  }

  /** What was sent of the last answer under a path; undefined until one has ended. */
  sentBytes(path: string): number | undefined {
    return this.#sent.get(path);
  }

  /** What is served under a path from now on. */
  async put(path: string, document: string): Promise<void> {
    const outgoing = request(this.url(path), { method: "PUT", ca: this.authority, agent: false });
    outgoing.end(document);
    const [response] = await once(outgoing, "response");
    response.resume();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const ended = once(this.#child, "exit");
    this.#child.kill();
    await ended;
  }
}
