import type { Random } from "../../runtime/random.ts";
import type { Clock } from "../../runtime/time/clock.ts";

/** Something that is not done until somebody confirms that it is right. */
export interface Hold {
  readonly id: string;
  readonly reason: "mass_loss" | "other_cluster";
  readonly message: string;
  /** Plurals of the kinds of objects that were missing: "pods". */
  readonly kinds: readonly string[];
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

  add({
    groups,
    ...what
  }: Pick<Hold, "reason" | "message" | "kinds"> & {
    readonly groups: Iterable<string> | undefined;
  }): Hold {
    const id = Buffer.from(this.#random.bytes(6)).toString("hex");
    const hold: Hold = {
      id,
      ...what,
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

  /**
   * Lets a group go. A hold without groups ends.
   *
   * @param kind plural of the kind of the object that came back: the group stays where something else was missing. Undefined
   *   when nothing of the group has to be kept, whatever was missing
   * @returns whether a hold ended
   */
  letGo(group: string, kind?: string): boolean {
    let hasEnded = false;
    for (const [id, { groups, kinds }] of this.#holds) {
      if (kind !== undefined && !kinds.includes(kind)) continue;
      if (groups?.delete(group) !== true || groups.size > 0) continue;
      this.#holds.delete(id);
      hasEnded = true;
    }
    return hasEnded;
  }
}
