/** What the server wants of an agent that orders X509-SVIDs. */
export interface IssuanceLimits {
  /** CSRs in one call. */
  readonly maxPerCall: number;
  /** CSRs that the server has not answered yet, over all calls. */
  readonly maxInFlight: number;
}

/** For servers that do not say: what the public API takes in one call, and one such call at a time. */
export const DEFAULT_ISSUANCE_LIMITS: IssuanceLimits = { maxPerCall: 500, maxInFlight: 500 };
