import type { Logger } from "../log.ts";

/** What a handler and an interceptor know about the call they serve. */
export interface CallContext<C = unknown> {
  /** "/package.Service/Method" */
  readonly method: string;
  /** Who is calling, as resolved from the connection. */
  readonly caller: C;
  /** The connection that the call came on, as given to `RpcServer.inject`. */
  readonly connectionId: string;
  /**
   * Aborts when nobody waits for an answer any more: the caller cancelled, its deadline passed, its connection ended, or the
   * server shuts down. The reason is a StatusError. Also aborts once the call is over.
   */
  readonly signal: AbortSignal;
  /** Milliseconds until the caller's deadline, counted when read; absent if the caller set none. May be negative. */
  readonly deadlineMs?: number | undefined;
  /** What the caller sent as metadata, keys in lower case, without binary ("-bin") values. */
  readonly metadata: ReadonlyMap<string, readonly string[]>;
  /** Adds the request id and the method to each line. */
  readonly log: Logger;
  /** Names this call in logs, audit and in what the caller is told about internal errors. */
  readonly requestId: string;
  /** Sends a value in the trailer, behind the last message. */
  setTrailer(key: string, value: string): void;
}
