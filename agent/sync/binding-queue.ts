import { Feed, type ReadFeed } from "../../runtime/feed.ts";
import type { CredentialBinding } from "../cache/credential-binding.ts";

/** Bindings that wait for a server; beyond this the oldest go. */
const MAX_WAITING = 20_000;

/**
 * Which instance took which credential, on the way to the server (D11). A report on a stream that breaks may be lost; it is for
 * looking up, and the audit log holds the issuance itself.
 */
export class BindingQueue {
  #waiting: CredentialBinding[] = [];
  readonly #count = new Feed(0);

  /** How many were added so far; changes with each. */
  get added(): ReadFeed<number> {
    return this.#count;
  }

  add(binding: CredentialBinding): void {
    this.#waiting.push(binding);
    if (this.#waiting.length > MAX_WAITING) this.#waiting.shift();
    this.#count.set(this.#count.value + 1);
  }

  /** Takes up to `max` of them, the oldest first. */
  take(max: number): readonly CredentialBinding[] {
    return this.#waiting.splice(0, max);
  }
}
