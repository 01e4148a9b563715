import { runTasks } from "../runtime/process/tasks.ts";
import type { Clock } from "../runtime/time/clock.ts";
import type { ConfigDifference } from "./config/reload.ts";
import { openParts, type Parts } from "./open-parts.ts";
import type { ServerDeps } from "./server-deps.ts";
import { serverTasks } from "./server-tasks.ts";

/** How long calls that are under way may take when the server stops. */
const DRAIN_MS = 10_000;

/**
 * The server: puts the parts together, in the order of the data, and runs them. It serves as soon as it is open; what runs in the
 * background runs with {@link Server.run}.
 */
export class Server implements AsyncDisposable {
  readonly #deps: ServerDeps;
  readonly #parts: Parts;
  readonly #opened: AsyncDisposableStack;

  private constructor(deps: ServerDeps, parts: Parts, opened: AsyncDisposableStack) {
    this.#deps = deps;
    this.#parts = parts;
    this.#opened = opened;
  }

  /** @throws {Error} when the data folder, an address or a socket cannot be had, or a file that the configuration names */
  static async open(deps: ServerDeps): Promise<Server> {
    await using opening = new AsyncDisposableStack();
    const parts = await openParts(deps, opening);
    return new Server(deps, parts, opening.move());
  }

  /** The TCP port that agents connect to. */
  get port(): number {
    return this.#parts.endpoint.address.port;
  }

  /** The port of the bundle endpoint; undefined without one. */
  get bundleEndpointPort(): number | undefined {
    return this.#parts.bundleEndpoint?.port;
  }

  /** The port of the listener for health and metrics; undefined without one. */
  get observabilityPort(): number | undefined {
    return this.#parts.observability?.port;
  }

  /** The port of OIDC discovery; undefined where it is not served, 0 on a Unix socket. */
  get oidcPort(): number | undefined {
    return this.#parts.oidc?.port;
  }

  /** Reads the configuration again and applies of it what a running server can. @throws {ConfigError} and applies nothing */
  reload(options: { readonly dryRun: boolean }): Promise<ConfigDifference> {
    return this.#parts.reload(options);
  }

  /** Runs until `signal` aborts, then stops accepting, lets calls end, and stops the rest. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock } = this.#deps;
    const stopping = new AbortController();
    const tasks = runTasks(serverTasks(this.#deps, this.#parts), stopping.signal);
    await Promise.race([tasks, untilAborted(clock, signal)]);
    await this.#stopServing();
    stopping.abort();
    await tasks;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#opened.disposeAsync();
  }

  async #stopServing(): Promise<void> {
    const { endpoint, adminSocket, rpc } = this.#parts;
    endpoint.stopAccepting();
    await adminSocket[Symbol.asyncDispose]();
    await rpc.drain(DRAIN_MS);
  }
}

async function untilAborted(clock: Clock, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) await clock.sleep(3_600_000, signal);
}
