import type { BundleRecord, RelationshipRecord } from "../records.ts";
import type { ItemResult, Operation } from "./operation.ts";

/** The fields of a relationship that its writers decide. */
export type RelationshipFields = Pick<RelationshipRecord, "endpoint" | "limits">;

/** A relationship to be written; what is absent of one that exists stays as it is. */
export interface RelationshipWrite {
  readonly trustDomain: string;
  readonly set: Partial<RelationshipFields>;
  /** A bundle to put in with it: the first one to authenticate an endpoint by, or a correction by hand. */
  readonly bundle?: BundleRecord;
}

/** "create" refuses one that exists, "update" one that does not, "set" takes both. */
export type RelationshipMode = "create" | "update" | "set";

export interface RelationshipWrites {
  /**
   * Writes relationships. ALREADY_EXISTS; NOT_FOUND; FAILED_PRECONDITION for one that another `origin` made and keeps, see
   * `claims`; INVALID_ARGUMENT when a new one lacks endpoint or limits. A new end in the future begins one that has ended anew.
   */
  writeRelationships: Operation<
    {
      readonly relationships: readonly RelationshipWrite[];
      readonly mode: RelationshipMode;
      readonly origin: string;
      readonly now: number;
      readonly actor: string;
    },
    readonly ItemResult<RelationshipRecord>[]
  >;
  /**
   * Deletes relationships. Their bundles go too: at once where no entry federates with the trust domain, else they stay unseen until
   * none does. NOT_FOUND; FAILED_PRECONDITION as above.
   */
  deleteRelationships: Operation<
    { readonly trustDomains: readonly string[]; readonly origin: string; readonly now: number },
    readonly ItemResult<RelationshipRecord>[]
  >;
  /** Ends the relationships whose end is at or before `now`; answers with those. */
  endRelationships: Operation<{ readonly now: number }, readonly RelationshipRecord[]>;
  /**
   * Notes that a bundle was fetched, and puts it in if it differs; both only while the relationship is there and has not ended.
   * Answers whether the bundle changed.
   */
  recordFetch: Operation<
    { readonly trustDomain: string; readonly at: number; readonly bundle: BundleRecord },
    boolean
  >;
}

export interface RelationshipReads {
  /** All of them by trust domain, also those that have ended and those that are deleted but for their name. */
  listRelationships: Operation<Record<string, never>, readonly RelationshipRecord[]>;
  /** How many entries federate with a trust domain, and how many of those its limits do not bind. */
  countFederatingEntries: Operation<
    { readonly trustDomain: string },
    { readonly entries: number; readonly unrestricted: number }
  >;
  /** When the bundle of each trust domain was last fetched; it takes no revision. Those never fetched are absent. */
  listFetches: Operation<Record<string, never>, ReadonlyMap<string, number>>;
}
