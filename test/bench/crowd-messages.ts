/** More agents for a process to hold. */
export interface CrowdTask {
  readonly kind: "grow";
  readonly count: number;
  readonly adminSocket: string;
  /** "host:port" of the server. */
  readonly address: string;
  readonly trustDomain: string;
}

/** What a crowd tells its processes. */
export type CrowdOrder = CrowdTask | { readonly kind: "mark" };

/** Counts of the agents of one process. */
export interface CrowdState {
  /** Were up to date at least once. */
  readonly ready: number;
  /** Were up to date on a stream that began after the last mark. */
  readonly back: number;
  /** Were told the trust bundle anew since the last mark. */
  readonly informed: number;
  /** Streams that ended with an error, those left out that found no server or one that stops. */
  readonly refusals: number;
}
