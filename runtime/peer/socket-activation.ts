/** First descriptor that a supervisor passes (sd_listen_fds(3)). */
const FIRST_FD = 3;

/** What a supervisor sets in the environment of a process that it passes listening sockets to. */
export interface ActivationEnvironment {
  readonly LISTEN_PID?: string | undefined;
  readonly LISTEN_FDS?: string | undefined;
  readonly LISTEN_FDNAMES?: string | undefined;
}

/**
 * The listening sockets that systemd or another supervisor passed to this process, by their names (sd_listen_fds(3); a socket
 * without a name is called "unknown"). Empty if there are none, or if they are meant for another process.
 *
 * @param pid of this process
 * @throws {Error} if the variables contradict each other
 */
export function passedSockets(
  env: ActivationEnvironment,
  pid: number,
): ReadonlyMap<string, readonly number[]> {
  const sockets = new Map<string, number[]>();
  if (env.LISTEN_PID !== String(pid) || env.LISTEN_FDS === undefined) return sockets;
  if (!/^\d{1,4}$/.test(env.LISTEN_FDS)) throw new Error("LISTEN_FDS is not a number");
  const count = Number(env.LISTEN_FDS);
  const names = env.LISTEN_FDNAMES?.split(":") ?? Array<string>(count).fill("unknown");
  if (names.length !== count) throw new Error("LISTEN_FDNAMES and LISTEN_FDS differ in length");
  for (const [index, name] of names.entries()) {
    sockets.set(name, [...(sockets.get(name) ?? []), FIRST_FD + index]);
  }
  return sockets;
}
