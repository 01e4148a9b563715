/**
 * What one connection may use. The most memory that one connection can hold in unfinished requests is
 * `maxReceiveBytes * maxConcurrentStreams`: choose both for who may connect, and limit the connections.
 */
export interface RpcLimits {
  /** Largest request message in bytes. */
  readonly maxReceiveBytes: number;
  /** Calls at a time on one connection; more are refused by HTTP/2 itself. */
  readonly maxConcurrentStreams: number;
  /** Memory for frames and headers of one connection, in megabytes. */
  readonly maxSessionMemoryMb: number;
  /** A connection that makes no call within this time is closed. */
  readonly firstCallMs: number;
  /** A connection is closed politely when it has had no call for this long. */
  readonly maxIdleMs: number;
  /** The request of a unary or server streaming call must have arrived in full within this time. */
  readonly requestMs: number;
  /** A stream whose reader has not taken the last message within this time is reset. */
  readonly slowReaderMs: number;
  /** A connection is asked for a sign of life this often; never if it is 0. */
  readonly keepaliveMs: number;
  /** A connection that gives no sign of life within this time after being asked is closed. */
  readonly keepaliveTimeoutMs: number;
}

/** Limits that suit a public endpoint with small messages. */
export const DEFAULT_RPC_LIMITS: RpcLimits = {
  maxReceiveBytes: 4 * 1024 * 1024,
  maxConcurrentStreams: 100,
  maxSessionMemoryMb: 64,
  firstCallMs: 5_000,
  maxIdleMs: 300_000,
  requestMs: 10_000,
  slowReaderMs: 10_000,
  keepaliveMs: 60_000,
  keepaliveTimeoutMs: 20_000,
};
