/** What has to be sent to an agent: the entries and bundles by name, or the whole set. */
export interface PendingChanges {
  /** Present when the whole set is due: all of it, or only ids and revisions for an agent that holds most of it. */
  readonly whole?: "snapshot" | "inventory" | undefined;
  readonly entryIds: readonly string[];
  /** Trust domains. */
  readonly bundles: readonly string[];
}

/** Beyond this many entries, names and revisions of the whole set are cheaper than keeping track. */
const MAX_ENTRIES = 10_000;

/**
 * What has changed for one agent since it was last sent something: names only, each once, so that an agent that does not read
 * costs no more however much changes meanwhile. What they stand for is looked up when it is sent.
 */
export class Pending {
  #whole: PendingChanges["whole"];
  #entryIds = new Set<string>();
  #bundles = new Set<string>();
  #isPlaceDue = false;

  get isEmpty(): boolean {
    return (
      !this.#isPlaceDue &&
      this.#whole === undefined &&
      this.#entryIds.size === 0 &&
      this.#bundles.size === 0
    );
  }

  addEntries(ids: Iterable<string>): void {
    if (this.#whole !== undefined) return;
    for (const id of ids) this.#entryIds.add(id);
    if (this.#entryIds.size > MAX_ENTRIES) this.addWhole("inventory");
  }

  addBundle(trustDomain: string): void {
    this.#bundles.add(trustDomain);
  }

  addWhole(whole: "snapshot" | "inventory"): void {
    if (this.#whole !== "snapshot") this.#whole = whole;
    this.#entryIds = new Set();
  }

  /** Even if nothing has changed, the agent is to hear where it stands. */
  addPlace(): void {
    this.#isPlaceDue = true;
  }

  /** Hands everything over and starts anew. */
  take(): PendingChanges {
    const taken = {
      whole: this.#whole,
      entryIds: [...this.#entryIds],
      bundles: [...this.#bundles],
    };
    this.#whole = undefined;
    this.#entryIds = new Set();
    this.#bundles = new Set();
    this.#isPlaceDue = false;
    return taken;
  }
}
