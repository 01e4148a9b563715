import type { Commit } from "../store/commit.ts";
import type { PageRequest } from "../store/contract/operation.ts";
import type { Store } from "../store/store.ts";
import { authorizationSteps } from "./authorization-changes.ts";
import { AuthorizationState } from "./authorization-state.ts";

/** A state and the revision that it is true for. */
export interface LoadedState {
  readonly state: AuthorizationState;
  readonly revision: bigint;
}

const PAGE_SIZE = 1000;

/**
 * Reads all entries and nodes, page by page, while the store stays in use. What is committed meanwhile may or may not be in a
 * page; all of it is applied afterwards in order, so the result is whole whichever it was.
 */
export async function loadAuthorization(store: Store, serverId: string): Promise<LoadedState> {
  const state = new AuthorizationState(serverId);
  const missed: Commit[] = [];
  using _ = store.onCommit((commit) => void missed.push(commit));
  let { revision } = store;
  await readEntries(store, state);
  await readNodes(store, state);
  for (const commit of missed) {
    for (const step of authorizationSteps(commit.changes)) {
      if (step.kind === "entry") {
        if (step.after === undefined) state.removeEntry(step.id);
        else state.putEntry(step.after);
      } else if (step.after === undefined) state.agents.remove(step.id);
      else state.putAgent(step.after);
    }
    revision = commit.revision;
  }
  return { state, revision };
}

async function readEntries(store: Store, state: AuthorizationState): Promise<void> {
  for await (const page of pages((request) => store.read("scanEntries", request))) {
    state.putPage(page);
  }
}

async function readNodes(store: Store, state: AuthorizationState): Promise<void> {
  for await (const { items } of pages((page) => store.read("listNodes", { filter: {}, page }))) {
    for (const { node } of items) state.putAgent(node);
  }
}

/** The pages of a list; while one is taken in here, the store's thread reads the next. */
async function* pages<P extends { readonly nextPageToken?: string }>(
  read: (page: PageRequest) => Promise<P>,
): AsyncGenerator<P> {
  let next: Promise<P> | undefined = read({ pageSize: PAGE_SIZE });
  while (next !== undefined) {
    const page: P = await next;
    const { nextPageToken: pageToken } = page;
    next = pageToken === undefined ? undefined : read({ pageSize: PAGE_SIZE, pageToken });
    // Whoever leaves here does not wait for it any more, and its failure is of no interest then.
    next?.catch(() => {});
    yield page;
  }
}
