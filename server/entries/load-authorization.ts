import type { Commit } from "../store/commit.ts";
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
  let pageToken: string | undefined;
  do {
    const page = await store.read("scanEntries", {
      pageSize: PAGE_SIZE,
      ...(pageToken !== undefined && { pageToken }),
    });
    for (const entry of page.items) state.putEntry(entry);
    pageToken = page.nextPageToken;
  } while (pageToken !== undefined);
}

async function readNodes(store: Store, state: AuthorizationState): Promise<void> {
  let pageToken: string | undefined;
  do {
    const page = await store.read("listNodes", {
      filter: {},
      page: { pageSize: PAGE_SIZE, ...(pageToken !== undefined && { pageToken }) },
    });
    for (const { node } of page.items) state.putAgent(node);
    pageToken = page.nextPageToken;
  } while (pageToken !== undefined);
}
