import { describeError } from "../runtime/errors/describe.ts";
import { createLogger, type Logger } from "../runtime/log.ts";
import { passedSockets } from "../runtime/peer/socket-activation.ts";
import type { UnixEndpoint } from "../runtime/peer/unix-listener.ts";
import { listenForHangup } from "../runtime/process/signals.ts";
import { systemRandom } from "../runtime/random.ts";
import { systemClock } from "../runtime/time/clock.ts";
import { VERSION } from "../runtime/version.ts";
import { loadServerConfig, type ServerConfig } from "./config/server-config.ts";
import { Server } from "./server.ts";

/** Name of the socket that a supervisor may pass (FileDescriptorName= of a systemd socket unit). */
const ADMIN_SOCKET = "admin";

/**
 * Runs a server in this process until `signal` aborts. SIGHUP makes it read its configuration again.
 *
 * @throws {ConfigError} for a configuration that cannot be used
 * @throws {Error} when the server cannot begin: the store is in use, an address is taken
 */
export async function runServer(o: {
  readonly configPath: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly signal: AbortSignal;
}): Promise<void> {
  const config = await loadServerConfig(o.configPath);
  const log = createLogger({ ...config.log, destination: "stderr" });
  await using server = await Server.open({
    config,
    readConfig: () => loadServerConfig(o.configPath),
    adminSocket: adminEndpoint(config, o.env),
    ownUid: process.geteuid?.() ?? 0,
    version: VERSION,
    env: o.env,
    clock: systemClock,
    random: systemRandom,
    log,
  });
  using _ = listenForHangup(() => void reload(server, log));
  log.info(
    {
      trust_domain: config.trustDomain,
      address: config.listen.address,
      port: server.port,
      socket_path: config.adminSocket.path,
      version: VERSION,
    },
    "Server started",
  );
  await server.run(o.signal);
  log.info("Server stopped");
}

function adminEndpoint(
  { adminSocket }: ServerConfig,
  env: Readonly<Record<string, string | undefined>>,
): UnixEndpoint {
  const [fd] = passedSockets(env, process.pid).get(ADMIN_SOCKET) ?? [];
  return fd === undefined ? { path: adminSocket.path, mode: adminSocket.mode } : { fd };
}

async function reload(server: Server, log: Logger): Promise<void> {
  try {
    const { applicable, needsRestart } = await server.reload({ dryRun: false });
    for (const change of applicable) log.info({ ...change }, "Applied setting");
    for (const change of needsRestart) log.warn({ ...change }, "Setting needs a restart");
    log.info("Configuration was read again");
  } catch (err) {
    log.error({ reason: describeError(err) }, "Configuration was not read again");
  }
}
