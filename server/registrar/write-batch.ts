import { Status } from "../../runtime/errors/status-error.ts";
import { type ActualEntry, type DesiredEntry, type EntryOrigin, groupOf } from "./desired-entry.ts";
import type { EntryApi, ItemOutcome } from "./entry-api.ts";
import type { EntryBook, GroupChanges } from "./entry-book.ts";
import { nameOfOrigin } from "./resources/resource.ts";

/** Something about a group that the server refused. */
export interface WriteProblem {
  /** The resource whose entry it is; undefined for an entry that was to be deleted. */
  readonly origin: EntryOrigin | undefined;
  readonly message: string;
}

/** An item of a batch, and the group that it is for. */
interface Item<T> {
  readonly group: string;
  readonly item: T;
}

/** Changes of several groups that are written together. */
export class WriteBatch {
  readonly #create: Item<DesiredEntry>[] = [];
  readonly #update: Item<ActualEntry>[] = [];
  readonly #remove: Item<string>[] = [];
  readonly #problems = new Map<string, WriteProblem[]>();
  readonly #again = new Set<string>();
  /** By group: when it was first asked for. */
  readonly since: Map<string, number> = new Map();

  /** How many entries it writes. */
  get size(): number {
    return this.#create.length + this.#update.length + this.#remove.length;
  }

  /** @returns whether there was anything to write */
  add(group: string, { create, update, remove }: GroupChanges, since: number): boolean {
    if (create.length + update.length + remove.length === 0) return false;
    for (const item of create) this.#create.push({ group, item });
    for (const item of update) this.#update.push({ group, item });
    for (const item of remove) this.#remove.push({ group, item });
    this.since.set(group, since);
    return true;
  }

  /** What the server refused of a group. */
  problemsOf(group: string): readonly WriteProblem[] {
    return this.#problems.get(group) ?? [];
  }

  /** Groups that turned out to stand otherwise than the book said. */
  get again(): Iterable<string> {
    return this.#again;
  }

  /**
   * Writes it and enters in the book what became of each item: what is new before what goes, so that a workload whose identity
   * changes is never without one.
   *
   * @param cluster what marks an entry as the registrar's own
   * @throws {StatusError} when a call as a whole fails; what earlier calls did is in the book
   */
  async write(
    api: Pick<EntryApi, "create" | "update" | "delete">,
    book: EntryBook,
    cluster: string,
    signal: AbortSignal,
  ): Promise<void> {
    await each(
      this.#create,
      (items) => api.create(items, signal),
      ({ group, item }, outcome) => {
        if (outcome.ok) {
          book.put(outcome.id, item);
          return;
        }
        const { existing, code } = outcome;
        const isOwn = code === Status.ALREADY_EXISTS && existing?.origin.cluster === cluster;
        if (!isOwn) {
          this.#refused(group, item.origin, messageOf(outcome));
          return;
        }
        // Of another group it is no help to this one, which would only ask for the same again.
        if (groupOf(existing) !== group) {
          const message = `another resource grants the same: ${nameOfOrigin(existing.origin)}`;
          this.#refused(group, item.origin, message);
          return;
        }
        book.put(existing.id, existing);
        this.#again.add(group);
      },
    );
    await each(
      this.#update,
      (items) => api.update(items, signal),
      ({ group, item }, outcome) => {
        if (outcome.ok) {
          book.put(item.id, item);
          return;
        }
        if (outcome.code === Status.NOT_FOUND) {
          book.drop(group, item.id);
          this.#again.add(group);
          return;
        }
        this.#refused(group, item.origin, messageOf(outcome));
      },
    );
    await each(
      this.#remove,
      (items) => api.delete(items, signal),
      ({ group, item }, outcome) => {
        if (outcome.ok || outcome.code === Status.NOT_FOUND) book.drop(group, item);
        else this.#refused(group, undefined, messageOf(outcome));
      },
    );
  }

  #refused(group: string, origin: EntryOrigin | undefined, message: string): void {
    const problems = this.#problems.get(group) ?? [];
    problems.push({ origin, message });
    this.#problems.set(group, problems);
  }
}

async function each<T>(
  items: readonly Item<T>[],
  run: (items: readonly T[]) => Promise<readonly ItemOutcome[]>,
  take: (item: Item<T>, outcome: ItemOutcome) => void,
): Promise<void> {
  if (items.length === 0) return;
  const outcomes = await run(items.map(({ item }) => item));
  for (const [index, item] of items.entries()) {
    const outcome = outcomes[index];
    if (outcome === undefined) throw new Error("the server answered for fewer items than it got");
    take(item, outcome);
  }
}

function messageOf({ code, message, existing }: Extract<ItemOutcome, { ok: false }>): string {
  return code === Status.ALREADY_EXISTS && existing !== undefined
    ? `entry ${existing.id}, which is not the registrar's, grants the same`
    : message;
}
