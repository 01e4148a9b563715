import { quote, SpiffeError } from "../error.ts";
import type { IdPattern } from "../id/id-pattern.ts";
import type { SpiffeId } from "../id/spiffe-id.ts";

/** What a foreign trust domain is trusted for, as its operator wrote it. */
export interface FederationTerms {
  /** Every ID and every audience. It has to be written out: without it, what is not named is not admitted. */
  readonly any?: boolean | undefined;
  /** Paths of the foreign IDs that are admitted; with none, no ID is. */
  readonly idPatterns?: readonly IdPattern[] | undefined;
  /** Audiences for which foreign JWT-SVIDs are admitted, {@link ANY_AUDIENCE} for each; with none, no token is. */
  readonly audiences?: readonly string[] | undefined;
  /** From then on nothing is admitted. */
  readonly endsAt?: Date | undefined;
  /** Why the relationship exists, for people. */
  readonly purpose?: string | undefined;
  /** Who answers for it, for people. */
  readonly owner?: string | undefined;
}

/** Among the audiences of {@link FederationTerms}: whichever the validator calls itself. */
export const ANY_AUDIENCE = "*";

/**
 * How far a foreign trust domain may be trusted. It travels beside the trust domain's bundle, never inside it, and whoever
 * verifies an SVID with the bundle asks it too. Immutable.
 */
export class FederationLimits {
  /** Everything, for good: what a bundle without limits means. */
  static readonly ANY: FederationLimits = new FederationLimits({ any: true });
  /** Nothing: what limits that cannot be read mean. */
  static readonly NONE: FederationLimits = new FederationLimits({});

  /** Whether every ID and every audience is admitted, so that the bundle may be handed out by itself. */
  readonly isAny: boolean;
  readonly idPatterns: readonly IdPattern[];
  readonly audiences: readonly string[];
  readonly endsAt: Date | undefined;
  readonly purpose: string;
  readonly owner: string;

  /** @throws {TypeError} when `any` stands beside patterns or audiences: one of them was not meant */
  constructor(terms: FederationTerms) {
    const { any = false, idPatterns = [], audiences = [] } = terms;
    if (any && (idPatterns.length > 0 || audiences.length > 0)) {
      throw new TypeError("limits: any excludes patterns and audiences");
    }
    this.isAny = any;
    this.idPatterns = idPatterns;
    this.audiences = audiences;
    this.endsAt = terms.endsAt;
    this.purpose = terms.purpose ?? "";
    this.owner = terms.owner ?? "";
  }

  admitsId(id: Pick<SpiffeId, "path">): boolean {
    return this.isAny || this.idPatterns.some((pattern) => pattern.matches(id.path));
  }

  admitsAudience(audience: string): boolean {
    return this.isAny || this.audiences.includes(audience) || this.audiences.includes(ANY_AUDIENCE);
  }

  hasEnded(now: Date): boolean {
    return this.endsAt !== undefined && this.endsAt <= now;
  }

  /**
   * Checks what a verified SVID of the trust domain claims.
   *
   * @param audience for a token, the audience that its validator asked for
   * @throws {SpiffeError} "federation_ended" | "federation_id" | "federation_audience"
   */
  check(id: SpiffeId, now: Date, audience?: string): void {
    const { trustDomain } = id;
    if (this.hasEnded(now)) {
      throw new SpiffeError("federation_ended", `federation with ${trustDomain} has ended`);
    }
    if (!this.admitsId(id)) {
      throw new SpiffeError(
        "federation_id",
        `federation with ${trustDomain} does not cover ${quote(id.toString())}`,
      );
    }
    if (audience !== undefined && !this.admitsAudience(audience)) {
      throw new SpiffeError(
        "federation_audience",
        `federation with ${trustDomain} does not cover tokens for audience ${quote(audience)}`,
      );
    }
  }

  equals(other: FederationLimits): boolean {
    return (
      this.isAny === other.isAny &&
      this.endsAt?.getTime() === other.endsAt?.getTime() &&
      this.purpose === other.purpose &&
      this.owner === other.owner &&
      isSameList(this.idPatterns.map(String), other.idPatterns.map(String)) &&
      isSameList(this.audiences, other.audiences)
    );
  }
}

function isSameList(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((each, i) => each === b[i]);
}
