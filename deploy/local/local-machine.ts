import { access, writeFile } from "node:fs/promises";
import { Bundle } from "../../proto/gen/spire/api/server/bundle/v1/bundle_pb.ts";
import { formatPem } from "../../spiffe/x509/pem.ts";
import { AgentProcess } from "./agent-process.ts";
import { type AssayCommand, unbuiltCommand } from "./assay-command.ts";
import { freePort } from "./free-port.ts";
import { type Layout, layoutOf, makeFolders } from "./layout.ts";
import { ensureNodeCertificate } from "./node-certificate.ts";
import type { Waiting } from "./readiness.ts";
import { type ProcessOptions, ServerProcess } from "./server-process.ts";
import { agentSettings, type Settings, serverSettings } from "./settings.ts";

/** What a machine is made of. */
export interface LocalMachineOptions extends Waiting {
  /** The folder that keeps its state; another machine in the same folder later is the same one. */
  readonly home: string;
  readonly trustDomain: string;
  /** The server's TCP port, unless it is taken; any free one unless given. */
  readonly preferredPort?: number;
  /** Top-level settings that replace the ones we write. */
  readonly server?: Settings;
  readonly agent?: Settings;
  /** What runs as server and agent; our sources unless given. */
  readonly command?: AssayCommand;
}

/**
 * A server and an agent joined to it as processes of this machine, with all their state in one folder. The agent proves itself
 * with a certificate that the first start made, so its ID stays.
 */
export class LocalMachine implements AsyncDisposable {
  readonly layout: Layout;
  readonly trustDomain: string;
  /** The server's TCP port on the loopback interface. */
  readonly port: number;
  /** Path of the agent's SPIFFE ID. */
  readonly agentPath: string;
  readonly #options: LocalMachineOptions;
  #server: ServerProcess | undefined;
  #agent: AgentProcess | undefined;

  private constructor(options: LocalMachineOptions, layout: Layout, port: number, path: string) {
    this.#options = options;
    this.layout = layout;
    this.trustDomain = options.trustDomain;
    this.port = port;
    this.agentPath = path;
  }

  /** Makes what the processes need, and starts none. */
  static async prepare(options: LocalMachineOptions): Promise<LocalMachine> {
    const layout = layoutOf(options.home);
    await makeFolders(layout);
    const fingerprint = await ensureNodeCertificate(layout, options.clock.now());
    const port = await freePort(options.preferredPort ?? 0);
    return new LocalMachine(options, layout, port, `/spire/agent/x509pop/${fingerprint}`);
  }

  /** The running server. @throws {Error} when there is none */
  get server(): ServerProcess {
    if (this.#server === undefined) throw new Error("the server was not started");
    return this.#server;
  }

  /** The running agent. @throws {Error} when there is none */
  get agent(): AgentProcess {
    if (this.#agent === undefined) throw new Error("the agent was not started");
    return this.#agent;
  }

  /** Starts the server, in place of one that has ended. @throws {Error} with its last words */
  async startServer(): Promise<ServerProcess> {
    await this.#server?.[Symbol.asyncDispose]();
    const settings = { ...serverSettings(this.layout, this), ...this.#options.server };
    this.#server = await ServerProcess.start({ ...this.#process, settings });
    return this.#server;
  }

  /** Starts the agent, in place of one that has ended. Its first start needs the server. @throws {Error} with its last words */
  async startAgent(): Promise<AgentProcess> {
    await this.#agent?.[Symbol.asyncDispose]();
    if (!(await exists(this.layout.trustBundle))) await this.#writeTrustBundle();
    const settings = { ...agentSettings(this.layout, this), ...this.#options.agent };
    this.#agent = await AgentProcess.start({ ...this.#process, settings });
    return this.#agent;
  }

  /** What the agent trusts until it has attested: handed over on this machine, not over the network. */
  async #writeTrustBundle(): Promise<void> {
    const { signal } = this.#options;
    const call = { signal, timeoutMs: 10_000 };
    const { x509Authorities } = await this.server.client(Bundle).getBundle({}, call);
    const pem = x509Authorities.map(({ asn1 }) => formatPem("CERTIFICATE", asn1)).join("");
    await writeFile(this.layout.trustBundle, pem);
  }

  get #process(): Omit<ProcessOptions, "settings"> {
    const { clock, signal, timeoutMs, command = unbuiltCommand } = this.#options;
    const options = { layout: this.layout, command, clock, signal };
    return timeoutMs === undefined ? options : { ...options, timeoutMs };
  }

  /** Stops the agent, then the server. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#agent?.[Symbol.asyncDispose]();
    await this.#server?.[Symbol.asyncDispose]();
  }
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
