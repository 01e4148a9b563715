import type { AgentProcess } from "../../deploy/local/agent-process.ts";
import type { LocalMachine } from "../../deploy/local/local-machine.ts";
import type { ServerProcess } from "../../deploy/local/server-process.ts";
import type { BareAgentOptions } from "../support/bare-agent.ts";
import type { Figure } from "./figures.ts";

/** What every benchmark gets: a fresh server, an agent on demand, and how much to do. */
export interface Bench {
  readonly machine: LocalMachine;
  readonly server: ServerProcess;
  /** The agent, started at the first call. */
  agent(): Promise<AgentProcess>;
  /** How long one load lasts. */
  readonly seconds: number;
  /** How many times, of whatever is counted; the benchmark's own default when not given. */
  readonly count: number | undefined;
  /** How long a soak lasts. */
  readonly minutes: number;
  readonly signal: AbortSignal;
  /** For agents that consist of a connection only. */
  readonly fleet: BareAgentOptions;
  /** How many credentials of a kind the server has issued since it started. */
  issued(kind: "x509" | "jwt"): Promise<number>;
  pause(ms: number): Promise<void>;
  /** Prints a line. */
  print(line: string): void;
  /** Prints and keeps what was measured. */
  report(row: string, figures: readonly Figure[]): void;
}
