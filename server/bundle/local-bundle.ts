import { Feed, type ReadFeed } from "../../runtime/feed.ts";
import type { Bundle } from "../../spiffe/bundle/bundle.ts";
import type { TrustDomain } from "../../spiffe/id/spiffe-id.ts";
import type { ChangeAuthorities } from "../store/contract/authorities.ts";
import type { BundleRecord } from "../store/records.ts";
import type { Store } from "../store/store.ts";
import { type BundleChange, sameContent } from "./bundle-change.ts";
import { bundleOf } from "./bundle-value.ts";

/** What the bundle needs. */
export interface LocalBundleDeps {
  readonly store: Pick<Store, "read" | "write" | "onCommit" | "incarnation">;
  readonly trustDomain: TrustDomain;
  /** How often verifiers without a stream should look for a newer bundle. */
  readonly refreshHintSeconds: number;
}

/** The store's incarnation in which the bundle was last opened. */
const INCARNATION_SETTING = "bundle.incarnation";

/** Further than a bundle can have changed in what a restored backup does not know of. */
const RESTORE_STEP = 2n ** 20n;

/**
 * Our own trust domain's bundle: what everybody verifies our SVIDs by. Whoever changes an authority changes the bundle through here, in
 * the same transaction. The sequence rises with each change of the content and never goes back.
 */
export class LocalBundle implements Disposable {
  readonly #deps: LocalBundleDeps;
  readonly #feed: Feed<Bundle>;
  readonly #commits: Disposable;
  #record: BundleRecord;
  #last: Promise<unknown> = Promise.resolve();

  private constructor(deps: LocalBundleDeps, record: BundleRecord) {
    this.#deps = deps;
    this.#record = record;
    this.#feed = new Feed(bundleOf(record));
    this.#commits = deps.store.onCommit(({ changes }) => {
      for (const change of changes) {
        const isOwn = change.kind === "bundle" && change.id === deps.trustDomain.name;
        if (isOwn && change.after !== undefined) this.#set(change.after);
      }
    });
  }

  /** Reads the bundle; it is empty until the first authority is published. */
  static async open(deps: LocalBundleDeps): Promise<LocalBundle> {
    const { name: trustDomain } = deps.trustDomain;
    const stored = await deps.store.read("getBundle", { trustDomain });
    const empty: BundleRecord = {
      trustDomain,
      x509Authorities: [],
      jwtAuthorities: [],
      witAuthorities: [],
      refreshHintSeconds: deps.refreshHintSeconds,
      sequence: 0n,
    };
    const bundle = new LocalBundle(deps, stored ?? empty);
    await bundle.#noteIncarnation();
    return bundle;
  }

  /** The bundle as verifiers see it. */
  get feed(): ReadFeed<Bundle> {
    return this.#feed;
  }

  /** The bundle with what only administrators and agents see: which authorities are tainted. */
  get record(): BundleRecord {
    return this.#record;
  }

  /**
   * Changes the bundle, and authorities with it: all of it or nothing, durable when it resolves. One change after another, so that
   * `change` always sees the latest state. Writes nothing if nothing changes.
   */
  change(change: BundleChange, authorities: Omit<ChangeAuthorities, "bundle"> = {}): Promise<void> {
    const turn = this.#last.then(
      () => this.#write(change, authorities),
      () => this.#write(change, authorities),
    );
    this.#last = turn;
    return turn;
  }

  [Symbol.dispose](): void {
    this.#commits[Symbol.dispose]();
  }

  async #write(
    change: BundleChange,
    authorities: Omit<ChangeAuthorities, "bundle">,
  ): Promise<void> {
    const { store, refreshHintSeconds } = this.#deps;
    const current = this.#record;
    const changed = change({ ...current, refreshHintSeconds });
    if (sameContent(current, changed)) {
      if (Object.keys(authorities).length > 0) await store.write("changeAuthorities", authorities);
      return;
    }
    const bundle = { ...changed, sequence: current.sequence + 1n };
    await store.write("changeAuthorities", { ...authorities, bundle });
    this.#set(bundle);
  }

  /** A restored backup has an old sequence; verifiers that have seen a newer one would not look at what we publish from now on. */
  async #noteIncarnation(): Promise<void> {
    const { store } = this.#deps;
    const key = INCARNATION_SETTING;
    const known = await store.read("getSetting", { key });
    if (known === store.incarnation) return;
    if (known !== undefined) {
      const bundle = { ...this.#record, sequence: this.#record.sequence + RESTORE_STEP };
      await store.write("changeAuthorities", { bundle });
      this.#set(bundle);
    }
    await store.write("putSetting", { key, value: store.incarnation });
  }

  #set(record: BundleRecord): void {
    if (record.sequence <= this.#record.sequence) return;
    this.#record = record;
    this.#feed.set(bundleOf(record));
  }
}
