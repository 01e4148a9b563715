/** When an authority's successor is made, and when it takes over: shares of the authority's life that are then left. */
export const AUTHORITY_SCHEDULE: {
  /** The successor is made and published. */
  readonly prepareAt: number;
  /** The successor signs from here on. */
  readonly activateAt: number;
} = { prepareAt: 1 / 2, activateAt: 1 / 6 };

/**
 * The longest lifetime that is always met: whenever a credential is asked for, the signing authority lives at least this long. A
 * longer one is cut short towards the end of each authority.
 *
 * @param authorityTtl life of an authority, in whatever unit the answer is to have
 */
export function guaranteedTtl(authorityTtl: number): number {
  return Math.floor(authorityTtl * AUTHORITY_SCHEDULE.activateAt);
}
