import type {
  AuthorityHolderRecord,
  AuthorityKind,
  AuthorityRecord,
  BundleRecord,
} from "../records.ts";
import type { Operation } from "./operation.ts";

/** Changes to authorities and to what the trust domain publishes, together or not at all. */
export interface ChangeAuthorities {
  /** Created, or replaced as a whole. */
  readonly put?: readonly AuthorityRecord[];
  readonly remove?: readonly string[];
  readonly addHolders?: readonly AuthorityHolderRecord[];
  /** The own bundle after the change. */
  readonly bundle?: BundleRecord;
}

export interface AuthorityWrites {
  changeAuthorities: Operation<ChangeAuthorities, undefined>;
}

export interface AuthorityReads {
  /** In order of creation. */
  listAuthorities: Operation<{ readonly kind?: AuthorityKind }, readonly AuthorityRecord[]>;
  listAuthorityHolders: Operation<Record<string, never>, readonly AuthorityHolderRecord[]>;
}
