import type { Store } from "../store/store.ts";

const PAGE_SIZE = 1000;

/** Which agents are banned, at hand without a query: nothing is issued to any of them. */
export class BannedAgents implements Disposable {
  readonly #ids = new Set<string>();
  #commits: Disposable | undefined;

  /** Reads who is banned, and follows every change from then on. */
  static async open(store: Pick<Store, "read" | "onCommit">): Promise<BannedAgents> {
    const banned = new BannedAgents();
    const changed = new Set<string>();
    banned.#commits = store.onCommit(({ changes }) => {
      for (const change of changes) {
        if (change.kind !== "node") continue;
        changed.add(change.id);
        if (change.after?.banned === true) banned.#ids.add(change.id);
        else banned.#ids.delete(change.id);
      }
    });
    let pageToken: string | undefined;
    do {
      const page = { pageSize: PAGE_SIZE, ...(pageToken === undefined ? {} : { pageToken }) };
      const { items, nextPageToken } = await store.read("listNodes", {
        filter: { byBanned: true },
        page,
      });
      for (const { node } of items) if (!changed.has(node.id)) banned.#ids.add(node.id);
      pageToken = nextPageToken;
    } while (pageToken !== undefined);
    return banned;
  }

  has(agentId: string): boolean {
    return this.#ids.has(agentId);
  }

  [Symbol.dispose](): void {
    this.#commits?.[Symbol.dispose]();
  }
}
