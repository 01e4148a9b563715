import { Feed, type ReadFeed } from "../../runtime/feed.ts";
import type { FederationLimits } from "../../spiffe/bundle/federation-limits.ts";
import type { RelationshipRecord } from "../store/records.ts";
import type { Store } from "../store/store.ts";
import { limitsOf } from "./relationship-value.ts";

/** A relationship in memory. */
export interface Relationship {
  readonly record: RelationshipRecord;
  readonly limits: FederationLimits;
}

/** All relationships with foreign trust domains, as the store has them, also those that have ended or are deleted but for their name. */
export class Relationships implements Disposable {
  readonly #byTrustDomain = new Map<string, Relationship>();
  readonly #listeners = new Set<(trustDomain: string) => void>();
  readonly #changes = new Feed(0);
  #commits: Disposable | undefined;

  /** Reads all of them, and follows every change from then on. */
  static async open(store: Pick<Store, "read" | "onCommit">): Promise<Relationships> {
    const relationships = new Relationships();
    const changed = new Set<string>();
    relationships.#commits = store.onCommit(({ changes }) => {
      for (const change of changes) {
        if (change.kind !== "federation") continue;
        changed.add(change.id);
        relationships.#put(change.id, change.after);
      }
    });
    for (const record of await store.read("listRelationships", {})) {
      // What a commit has told meanwhile is newer than what the query saw.
      if (!changed.has(record.trustDomain)) relationships.#put(record.trustDomain, record);
    }
    return relationships;
  }

  get(trustDomain: string): Relationship | undefined {
    return this.#byTrustDomain.get(trustDomain);
  }

  values(): Iterable<Relationship> {
    return this.#byTrustDomain.values();
  }

  /** Those that are not deleted, by trust domain. */
  get listed(): readonly Relationship[] {
    return [...this.#byTrustDomain.values()]
      .filter(({ record }) => !record.isDeleted)
      .sort((a, b) => (a.record.trustDomain < b.record.trustDomain ? -1 : 1));
  }

  /** Counts changes. */
  get changes(): ReadFeed<number> {
    return this.#changes;
  }

  /** Calls `listener` after each change, in the commit that makes it. */
  onChange(listener: (trustDomain: string) => void): Disposable {
    this.#listeners.add(listener);
    return { [Symbol.dispose]: () => void this.#listeners.delete(listener) };
  }

  [Symbol.dispose](): void {
    this.#commits?.[Symbol.dispose]();
  }

  #put(trustDomain: string, record: RelationshipRecord | undefined): void {
    if (record === undefined) this.#byTrustDomain.delete(trustDomain);
    else this.#byTrustDomain.set(trustDomain, { record, limits: limitsOf(record.limits) });
    for (const listener of this.#listeners) listener(trustDomain);
    this.#changes.set(this.#changes.value + 1);
  }
}
