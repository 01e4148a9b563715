import type { Random } from "../../runtime/random.ts";
import type { Clock } from "../../runtime/time/clock.ts";

/** Something that is not done until somebody confirms that it is right. */
export interface Hold {
  readonly id: string;
  readonly reason: "mass_loss" | "other_cluster";
  readonly message: string;
  /** The groups whose entries stay as they are; all of them when undefined. */
  readonly groups: Set<string> | undefined;
  readonly since: Date;
}

/**
 * What the registrar holds back: a list of the API server may be wrong or another cluster's, and acting on it would take the
 * identities of everything that runs.
 */
export class Holds {
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #holds = new Map<string, Hold>();

  constructor(deps: { readonly clock: Clock; readonly random: Random }) {
    this.#clock = deps.clock;
    this.#random = deps.random;
  }

  get all(): readonly Hold[] {
    return [...this.#holds.values()];
  }

  add(reason: Hold["reason"], message: string, groups: Iterable<string> | undefined): Hold {
    const id = Buffer.from(this.#random.bytes(6)).toString("hex");
    const hold: Hold = {
      id,
      reason,
      message,
      groups: groups === undefined ? undefined : new Set(groups),
      since: this.#clock.now(),
    };
    this.#holds.set(id, hold);
    return hold;
  }

  /** Ends a hold. @returns it, if there was one */
  release(id: string): Hold | undefined {
    const hold = this.#holds.get(id);
    this.#holds.delete(id);
    return hold;
  }

  /** Whether nothing at all is to be written. */
  get isTotal(): boolean {
    return this.#holds.values().some(({ groups }) => groups === undefined);
  }

  /** Whether a group's entries are to stay as they are. */
  has(group: string): boolean {
    return this.#holds.values().some(({ groups }) => groups === undefined || groups.has(group));
  }

  /** Lets a group go: it is there again, or was seen to go. A hold without groups ends. */
  letGo(group: string): void {
    for (const [id, { groups }] of this.#holds) {
      if (groups?.delete(group) === true && groups.size === 0) this.#holds.delete(id);
    }
  }
}
