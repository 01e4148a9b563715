/**
 * The kernel asks a silent peer's kernel for a sign of life after this long, so that a lost machine is noticed and holds no connection.
 * Both ends of the connections between agents and servers do so.
 */
export const KEEP_ALIVE_MS = 60_000;
