// A trust domain of server and agent as processes, with a bundle endpoint, administered by its command.

import assert from "node:assert/strict";
import { runAssay } from "../../assay.ts";
import { freePort } from "../../deploy/local/free-port.ts";
import { ExitCode } from "../../runtime/cli/exit-code.ts";
import { Machine } from "../support/machine.ts";

/** The JSON that a command printed. */
// biome-ignore lint/suspicious/noExplicitAny: what a command prints is looked at field by field
export type Printed = any;

export class FederatedMachine implements AsyncDisposable {
  readonly machine: Machine;
  /** Where its bundle is served. */
  readonly bundleUrl: string;

  readonly #metricsUrl: string;

  private constructor(
    machine: Machine,
    urls: { readonly bundleUrl: string; readonly metricsUrl: string },
  ) {
    this.machine = machine;
    this.bundleUrl = urls.bundleUrl;
    this.#metricsUrl = urls.metricsUrl;
  }

  static async start(
    trustDomain: string,
    o: {
      readonly isServerOnly?: boolean;
      /** File with the authorities of the Web. */
      readonly webAuthorities?: string;
    } = {},
  ): Promise<FederatedMachine> {
    const port = await freePort(0);
    const observability = { port: await freePort(0) };
    const { isServerOnly, webAuthorities } = o;
    const bundleEndpoint = { address: "127.0.0.1", port };
    const experimental = { witSvid: true };
    const server = {
      federation: { bundleEndpoint, webAuthorities },
      observability,
      experimental,
    };
    const machine = await Machine.open({ trustDomain, server, agent: { experimental } });
    const federated = new FederatedMachine(machine, {
      bundleUrl: `https://127.0.0.1:${port}/`,
      metricsUrl: `http://127.0.0.1:${observability.port}/metrics`,
    });
    try {
      await machine.local.startServer();
      if (isServerOnly !== true) await machine.local.startAgent();
      return federated;
    } catch (err) {
      await federated[Symbol.asyncDispose]();
      throw err;
    }
  }

  get endpointSocket(): string {
    return `unix://${this.machine.local.layout.workloadSocket}`;
  }

  /** A command that must succeed; what it printed as JSON. */
  async assay(...args: readonly string[]): Promise<Printed> {
    const { code, out, err } = await this.run([...args, "--output", "json"]);
    assert.equal(code, ExitCode.ok, `${args.join(" ")}: ${err}`);
    return out === "" ? undefined : JSON.parse(out);
  }

  /** A command, however it ends. */
  async run(
    args: readonly string[],
    input = "",
  ): Promise<{ readonly code: number; readonly out: string; readonly err: string }> {
    let out = "";
    let err = "";
    const code = await runAssay([...args, "--socket", this.machine.local.layout.adminSocket], {
      write: (text) => {
        out += text;
      },
      writeError: (text) => {
        err += text;
      },
      readInput: async () => input,
      env: {},
      signal: this.machine.signal,
    });
    return { code, out, err };
  }

  /** What the server's listener for metrics shows. */
  async metrics(): Promise<string> {
    return await (await fetch(this.#metricsUrl)).text();
  }

  /** The own bundle as a SPIFFE document. */
  async bundle(): Promise<string> {
    const { code, out } = await this.run(["bundle", "show", "--format", "spiffe"]);
    assert.equal(code, ExitCode.ok);
    return out;
  }

  /** Registers this test's user under a path. @returns the entry's ID */
  async register(path: string, ...more: readonly string[]): Promise<string> {
    const { trustDomain, agentPath } = this.machine.local;
    const entry = await this.assay(
      "entry",
      "create",
      ...["--spiffe-id", `spiffe://${trustDomain}${path}`],
      ...["--parent-id", `spiffe://${trustDomain}${agentPath}`],
      ...["--selector", `unix:uid:${process.getuid?.()}`, "--wait", ...more],
    );
    return entry.id;
  }

  /** Trusts the trust domain of another machine. */
  async trust(other: FederatedMachine, ...limits: readonly string[]): Promise<Printed> {
    const { trustDomain } = other.machine.local;
    const args = [
      ...["federation", "create", trustDomain, "--profile", "https_spiffe"],
      ...["--url", other.bundleUrl, "--endpoint-id", `spiffe://${trustDomain}/spire/server`],
      ...["--bundle", "-", "--wait", "--output", "json", ...limits],
    ];
    const { code, out, err } = await this.run(args, await other.bundle());
    assert.equal(code, ExitCode.ok, err);
    return JSON.parse(out);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.machine[Symbol.asyncDispose]();
  }
}
