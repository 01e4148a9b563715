// An agent in this process, on real sockets and a real state file, against whatever servers the test names.

import { Agent } from "../../agent/agent.ts";
import type {
  Subscription,
  WorkloadCaller,
  WorkloadView,
} from "../../agent/cache/workload-view.ts";
import { type AgentConfig, agentConfigSchema } from "../../agent/config/agent-config.ts";
import type { NodeFacts } from "../../agent/state/node-binding.ts";
import { parseConfig } from "../../runtime/config/load.ts";
import { systemRandom } from "../../runtime/random.ts";
import { type Clock, systemClock } from "../../runtime/time/clock.ts";
import { FAKE_TRUST_DOMAIN } from "../fakes/fake-server-api.ts";
import { RecordingLog } from "../fakes/recording-log.ts";
import type { TempDir } from "./temp-dir.ts";

export const THIS_NODE: NodeFacts = { machineId: "machine-1", bootId: "boot-1" };

export interface RunningAgentOptions {
  readonly servers: readonly string[];
  readonly bundlePem: string;
  readonly dir: TempDir;
  /** That of the fake server unless given. */
  readonly trustDomain?: string;
  readonly token?: string;
  /** How the agent proves its node; by `token` unless given. */
  readonly nodeAttestor?: object;
  readonly nodeFacts?: NodeFacts;
  /** Whether the configuration allows a state file on a disk; true unless given. */
  readonly stateOnDisk?: boolean;
  /** More lines of configuration. */
  readonly yaml?: string;
  /** The machine's clock unless given. */
  readonly clock?: Clock;
}

/** Starts when opened; stops when disposed of, as after SIGTERM. */
export class RunningAgent implements AsyncDisposable {
  readonly agent: Agent;
  readonly log: RecordingLog;
  readonly #stop = new AbortController();
  readonly #running: Promise<void>;

  private constructor(agent: Agent, log: RecordingLog) {
    this.agent = agent;
    this.log = log;
    this.#running = agent.run(this.#stop.signal);
  }

  static async open(options: RunningAgentOptions): Promise<RunningAgent> {
    const config = configOf(options);
    const log = new RecordingLog();
    const agent = await Agent.open({
      config,
      workloadSocket: config.workloadSocket,
      adminSocket: config.adminSocket,
      adminUids: new Set([process.geteuid?.() ?? 0]),
      nodeFacts: options.nodeFacts ?? THIS_NODE,
      version: "test",
      clock: options.clock ?? systemClock,
      random: systemRandom,
      log: log.log,
    });
    return new RunningAgent(agent, log);
  }

  /** Opens a stream for X509-SVIDs, as the Workload API does for a caller with these selectors. */
  stream(...selectors: readonly string[]): Subscription {
    return this.agent.views.openX509(callerWith(...selectors));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await this.#running;
    await this.agent[Symbol.asyncDispose]();
  }
}

/** A caller with selectors of type "unix", in an instance of its uid. */
export function callerWith(...selectors: readonly string[]): WorkloadCaller {
  return {
    selectors: selectors.map((value) => ({ type: "unix", value })),
    instance: { uid: 1000, process: "1@1" },
    executable: "/usr/bin/test",
  };
}

/** The first view that holds; gives it back as written. */
export async function viewWhere(
  subscription: Subscription,
  holds: (view: WorkloadView) => boolean,
  timeoutMs = 10_000,
): Promise<WorkloadView> {
  const signal = AbortSignal.timeout(timeoutMs);
  for await (const view of subscription.feed.subscribe(signal)) {
    if (!holds(view)) continue;
    subscription.delivered(view);
    return view;
  }
  const { serving, identities, entries, pending } = subscription.feed.value;
  throw new Error(
    `no such view came: ${serving}, ${identities.length} identities, ${entries.length} entries, ${pending} pending`,
  );
}

/** Whether a view holds exactly these paths, in whatever order. */
export function hasPaths(...paths: readonly string[]): (view: WorkloadView) => boolean {
  const wanted = paths.map((path) => `spiffe://${FAKE_TRUST_DOMAIN}${path}`).sort();
  return ({ identities }) => {
    const held = identities.map(({ spiffeId }) => spiffeId).sort();
    return held.length === wanted.length && held.every((id, i) => id === wanted[i]);
  };
}

function configOf(options: RunningAgentOptions): AgentConfig {
  const { servers, bundlePem, dir, token, stateOnDisk = true, yaml } = options;
  const { trustDomain = FAKE_TRUST_DOMAIN } = options;
  const { nodeAttestor = { join_token: { token: token ?? "token-1" } } } = options;
  const text = `
trustDomain: ${trustDomain}
servers: ${JSON.stringify(servers)}
trustBundle: { inline: ${JSON.stringify(bundlePem)} }
nodeAttestor: ${JSON.stringify(nodeAttestor)}
state: { path: ${dir.join("state")}, insecureDisk: ${stateOnDisk} }
workloadSocket: { path: ${dir.join("api.sock")} }
adminSocket: { path: ${dir.join("admin.sock")} }
observability: { enabled: false }
${yaml ?? ""}
`;
  return parseConfig(agentConfigSchema, text, "agent.yaml");
}
