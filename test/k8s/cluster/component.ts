import { readFile } from "node:fs/promises";
import { Child } from "../../../deploy/local/child.ts";
import { eventually } from "../../support/eventually.ts";
import { type Host, onlyChildOf } from "./host.ts";

/** A process of the cluster that runs on one of its machines. */
export interface ComponentOptions {
  readonly name: string;
  readonly host: Host;
  readonly argv: readonly string[];
  readonly logPath: string;
}

/** A part of the cluster that can be killed, stopped for a while, and started again as it was. */
export class Component {
  readonly #options: ComponentOptions;
  #child: Child | undefined;

  constructor(options: ComponentOptions) {
    this.#options = options;
  }

  get name(): string {
    return this.#options.name;
  }

  get running(): boolean {
    return this.#child?.running === true;
  }

  async start(): Promise<void> {
    const { name, host, argv, logPath } = this.#options;
    const [file, ...args] = host.command(argv);
    this.#child = await Child.start({ name, file, args, logPath });
  }

  /** Ends it at once, as a crash would. Throw-away state needs no better, and some parts drain for a minute. */
  async kill(): Promise<void> {
    if (this.#child === undefined) return;
    await this.#signal("SIGKILL");
    // Stopped, it would not notice.
    this.#child.kill("SIGCONT");
    await this.#child.exited;
  }

  /** Lets it hang: connections stay, and nothing answers. */
  async pause(): Promise<void> {
    const child = this.#child;
    await this.#signal("SIGSTOP");
    if (child === undefined) return;
    // The one that waits for it stops a moment later. Told to go on before that, it would stop for good.
    await eventually(`${this.name} to stop`, async () => (await isStopped(child.pid)) || undefined);
  }

  async resume(): Promise<void> {
    // The one that waits for it stops together with it, and has to go on first.
    this.#child?.kill("SIGCONT");
    await this.#signal("SIGCONT");
  }

  /** The end of what it printed, for the message of an error. */
  async lastWords(): Promise<string> {
    const lines = (await this.#child?.lastLines(15)) ?? [];
    return `${this.name}:\n${lines.map((line) => `  ${line}`).join("\n")}`;
  }

  async #signal(signal: NodeJS.Signals): Promise<void> {
    if (this.#child?.running !== true) return;
    process.kill(await onlyChildOf(this.#child.pid), signal);
  }
}

/** proc_pid_stat(5): the state follows the name in parentheses. */
async function isStopped(pid: number): Promise<boolean> {
  const stat = await readFile(`/proc/${pid}/stat`, "utf8");
  return stat.slice(stat.lastIndexOf(")") + 2).startsWith("T");
}
