import { mkdir } from "node:fs/promises";
import { dirname } from "node:path";
import { createLogger } from "../runtime/log.ts";
import { passedSockets } from "../runtime/peer/socket-activation.ts";
import type { UnixEndpoint } from "../runtime/peer/unix-listener.ts";
import { settleDown } from "../runtime/process/settle-down.ts";
import { listenForHangup } from "../runtime/process/signals.ts";
import { systemRandom } from "../runtime/random.ts";
import { systemClock } from "../runtime/time/clock.ts";
import { VERSION } from "../runtime/version.ts";
import { Agent } from "./agent.ts";
import { loadAgentConfig } from "./config/agent-config.ts";
import { withNodeEnvironment } from "./config/workload-settings.ts";
import { readNodeFacts } from "./state/node-binding.ts";

/** Names of the sockets that a supervisor may pass (FileDescriptorName= of a systemd socket unit). */
const WORKLOAD_SOCKET = "workload";
const ADMIN_SOCKET = "admin";

/**
 * Runs an agent in this process until `signal` aborts.
 *
 * @throws {ConfigError} for a configuration that cannot be used
 * @throws {Error} when the agent cannot begin: the state file may not be used, or a socket cannot be had
 */
export async function runAgent(o: {
  readonly configPath: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly signal: AbortSignal;
}): Promise<void> {
  const config = withNodeEnvironment(await loadAgentConfig(o.configPath), o.env);
  const log = createLogger({ ...config.log, destination: "stderr" });
  const passed = passedSockets(o.env, process.pid);
  const endpointOf = <E>(name: string, own: E): E | UnixEndpoint => {
    const [fd] = passed.get(name) ?? [];
    return fd === undefined ? own : { fd };
  };
  const { holder } = config.workloadSocket;
  const own = holder === undefined ? [config.workloadSocket] : [];
  const { brokers, socket } = config.broker;
  const forBrokers = brokers.length === 0 ? [] : [socket];
  for (const { path } of [...own, config.adminSocket, ...forBrokers]) {
    // Workloads of every user have to get to their socket.
    await mkdir(dirname(path), { recursive: true, mode: 0o755 });
  }
  await using agent = await Agent.open({
    config,
    workloadSocket: endpointOf(
      WORKLOAD_SOCKET,
      holder === undefined ? config.workloadSocket : { holder, sinceMs: monotonicMs() },
    ),
    adminSocket: endpointOf(ADMIN_SOCKET, config.adminSocket),
    adminUids: new Set([0, process.geteuid?.() ?? 0]),
    nodeFacts: await readNodeFacts(),
    version: VERSION,
    clock: systemClock,
    random: systemRandom,
    log,
  });
  log.info(
    { trust_domain: config.trustDomain, socket_path: config.workloadSocket.path, version: VERSION },
    "Agent started",
  );
  // Without a listener it would end the process, and with it what this node's workloads rely on.
  using _hangup = listenForHangup(() => {
    log.warn("SIGHUP has no effect, the agent reads its configuration when it starts");
  });
  await Promise.all([agent.run(o.signal), settleDown(systemClock, o.signal)]);
  log.info("Agent stopped");
}

/** The same for all processes of the machine, unlike `performance.now()`. */
function monotonicMs(): number {
  return Number(process.hrtime.bigint() / 1_000_000n);
}
