import type { Logger } from "../runtime/log.ts";
import type { UnixEndpoint } from "../runtime/peer/unix-listener.ts";
import type { Random } from "../runtime/random.ts";
import type { Clock } from "../runtime/time/clock.ts";
import type { ServerConfig } from "./config/server-config.ts";

/** Everything a server takes from outside. */
export interface ServerDeps {
  readonly config: ServerConfig;
  /** Reads the configuration again. */
  readonly readConfig: () => Promise<ServerConfig>;
  /** Where to listen for administration; a socket that a supervisor holds comes as a descriptor. */
  readonly adminSocket: UnixEndpoint;
  /** The user that the server runs as. */
  readonly ownUid: number;
  readonly version: string;
  /** The environment of the process; in a pod it names the API server. */
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
}
