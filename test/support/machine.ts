import { LocalMachine } from "../../deploy/local/local-machine.ts";
import type { Settings } from "../../deploy/local/settings.ts";
import { systemClock } from "../../runtime/time/clock.ts";
import type { BareAgentOptions } from "./bare-agent.ts";
import { TempDir } from "./temp-dir.ts";

/** Top-level settings that replace the ones of a local machine. */
export interface MachineOptions {
  readonly server?: Settings;
  readonly agent?: Settings;
  readonly trustDomain?: string;
  /** Where the state lies, instead of a folder of the machine's own. */
  readonly home?: string;
}

/** The trust domain of machines that are not told another. */
export const trustDomain = "example.test";

/** A machine of a test's own: processes from the sources, state in a temporary folder, all gone at the end. */
export class Machine implements AsyncDisposable {
  readonly local: LocalMachine;
  readonly signal: AbortSignal;
  readonly #stack: AsyncDisposableStack;

  private constructor(local: LocalMachine, signal: AbortSignal, stack: AsyncDisposableStack) {
    this.local = local;
    this.signal = signal;
    this.#stack = stack;
  }

  /** Starts nothing yet. */
  static async open(options: MachineOptions = {}): Promise<Machine> {
    await using stack = new AsyncDisposableStack();
    const home = options.home ?? stack.use(await TempDir.open(0o755)).path;
    const controller = new AbortController();
    const { signal } = controller;
    const clock = systemClock;
    const { server = {}, agent = {}, trustDomain: name = trustDomain } = options;
    const local = stack.use(
      await LocalMachine.prepare({ home, trustDomain: name, clock, signal, server, agent }),
    );
    // First thing at the end: whoever still waits is told.
    stack.defer(() => controller.abort());
    return new Machine(local, signal, stack.move());
  }

  /** Opens a machine and starts its server and its agent. */
  static async start(options: MachineOptions = {}): Promise<Machine> {
    const machine = await Machine.open(options);
    try {
      await machine.local.startServer();
      await machine.local.startAgent();
      return machine;
    } catch (error) {
      await machine[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** For agents that consist of a connection. */
  get bareAgents(): BareAgentOptions {
    const { server: admin, port } = this.local;
    const { trustDomain: name } = this.local;
    return { admin, address: `127.0.0.1:${port}`, trustDomain: name, signal: this.signal };
  }

  /** The deadline and signal of one call. */
  get call(): { readonly signal: AbortSignal; readonly timeoutMs: number } {
    return { signal: this.signal, timeoutMs: 60_000 };
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#stack.disposeAsync();
  }
}
