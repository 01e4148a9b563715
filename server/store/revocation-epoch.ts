import { REVOCATION_EPOCH_SETTING } from "./operations/store-state.ts";
import type { Store } from "./store.ts";

/** The revocation epoch at hand without a query: it rises with each revocation, and by 2^20 when a backup is restored. */
export class RevocationEpoch implements Disposable {
  #value = 0n;
  #commits: Disposable | undefined;

  /** Reads it, and follows it from then on. */
  static async open(store: Pick<Store, "read" | "onCommit">): Promise<RevocationEpoch> {
    const epoch = new RevocationEpoch();
    epoch.#commits = store.onCommit(({ changes }) => {
      for (const change of changes) {
        if (change.kind !== "setting" || change.id !== REVOCATION_EPOCH_SETTING) continue;
        epoch.#raise(BigInt(change.after?.value ?? 0));
      }
    });
    epoch.#raise((await store.read("storeState", {})).revocationEpoch);
    return epoch;
  }

  get value(): bigint {
    return this.#value;
  }

  [Symbol.dispose](): void {
    this.#commits?.[Symbol.dispose]();
  }

  #raise(value: bigint): void {
    if (value > this.#value) this.#value = value;
  }
}
