import type {
  AttestedNodeRecord,
  AuthorityRecord,
  BundleRecord,
  EntryRecord,
  JoinTokenRecord,
  RelationshipRecord,
  SettingRecord,
} from "./records.ts";

/** What happened to a record. "expire" is a deletion because its time was up. */
export type ChangeAction = "create" | "update" | "delete" | "expire";

/** One changed record, with what it was and what it is. */
export interface ChangeOf<Kind extends string, RecordType> {
  readonly kind: Kind;
  /** The record's key: entry ID, agent ID, trust domain, authority ID, token hash, cluster name, setting key. */
  readonly id: string;
  readonly action: ChangeAction;
  /** Absent when the record was created. */
  readonly before?: RecordType;
  /** Absent when the record is gone. */
  readonly after?: RecordType;
}

export type EntryChange = ChangeOf<"entry", EntryRecord>;
export type NodeChange = ChangeOf<"node", AttestedNodeRecord>;
export type BundleChange = ChangeOf<"bundle", BundleRecord>;
export type FederationChange = ChangeOf<"federation", RelationshipRecord>;
export type AuthorityChange = ChangeOf<"authority", AuthorityRecord>;
export type JoinTokenChange = ChangeOf<"join_token", JoinTokenRecord>;
/** Says that there is one; what it holds is not for everybody who follows the store. */
export type ClusterChange = ChangeOf<"cluster", { readonly name: string }>;
export type SettingChange = ChangeOf<"setting", SettingRecord>;

/** One change of a commit, told apart by `kind`. */
export type Change =
  | EntryChange
  | NodeChange
  | BundleChange
  | FederationChange
  | AuthorityChange
  | JoinTokenChange
  | ClusterChange
  | SettingChange;

/** Everything that one revision changed, in the order in which it was done. A record may occur more than once. */
export interface Commit {
  readonly revision: bigint;
  readonly changes: readonly Change[];
}

/**
 * A line of the change log, as it is kept for 24 hours or a million changes. It holds no record, only the key and, for
 * entries, what one needs to find those who could see the entry before.
 */
export interface LoggedChange {
  readonly revision: bigint;
  readonly kind: Change["kind"];
  readonly id: string;
  readonly action: ChangeAction;
  /** Entries only; absent when created. */
  readonly before?: EntryKeys;
}

/** What ties an entry into the graph of parents. */
export interface EntryKeys {
  readonly spiffeId: string;
  readonly parentId: string;
}
