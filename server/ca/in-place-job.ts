import { setImmediate as turn } from "node:timers/promises";
import type { KnownBadKeys } from "../policy/key-policy.ts";
import type { X509Authority } from "./authority.ts";
import { signTbs } from "./sign-tbs.ts";
import type { SignedSvid } from "./signing-job.ts";
import { type PreparedSvid, prepareSvid, type SvidItem } from "./svid-preparation.ts";

/** SVIDs that are checked, built and signed in this thread. */
export class InPlaceJob {
  readonly #authority: X509Authority;
  readonly #prepared: Promise<readonly PreparedSvid[]>;

  constructor(authority: X509Authority, items: readonly SvidItem[], knownBad: KnownBadKeys) {
    this.#authority = authority;
    const { template, issuer } = authority;
    // One turn later, and behind the journal, which asks for that turn as soon as it is given the intent: so the intent is on its way
    // to the disk while we calculate.
    this.#prepared = Promise.resolve()
      .then(() => turn())
      .then(() => items.map((item) => prepareSvid(item, template, issuer, knownBad)));
  }

  async sign(): Promise<readonly SignedSvid[]> {
    const signed: SignedSvid[] = [];
    for (const item of await this.#prepared) {
      signed.push(
        "tbsDer" in item ? { certificateDer: await signTbs(this.#authority, item.tbsDer) } : item,
      );
    }
    return signed;
  }
}
