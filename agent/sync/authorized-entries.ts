import type { MessageInitShape } from "@bufbuild/protobuf";
import type {
  Entry as EntryService,
  SyncAuthorizedEntriesRequestSchema,
  SyncAuthorizedEntriesResponse,
} from "../../proto/gen/spire/api/server/entry/v1/entry_pb.ts";
import type { Entry, EntryMaskSchema } from "../../proto/gen/spire/api/types/entry_pb.ts";
import { Status, StatusError } from "../../runtime/errors/status-error.ts";
import type { Client } from "../../runtime/rpc/client.ts";
import { slicesOf } from "../../runtime/slices.ts";
import { Outbox } from "../connection/outbox.ts";

/** The most ids in one request of the public protocol. */
const PAGE_SIZE = 500;
const CALL_TIMEOUT_MS = 30_000;

/** The fields that an agent has a use for. */
const MASK: MessageInitShape<typeof EntryMaskSchema> = {
  spiffeId: true,
  selectors: true,
  federatesWith: true,
  admin: true,
  downstream: true,
  expiresAt: true,
  revisionNumber: true,
  storeSvid: true,
  hint: true,
  createdAt: true,
  additionalAttributes: true,
};

/** What the agent holds of an entry already. */
export interface HeldEntry {
  readonly revision: bigint;
  readonly createdAt: bigint;
}

/** The whole set of entries that an agent is authorised for: those that are new to it, and the ids of all. */
export interface AuthorizedSet {
  readonly ids: ReadonlySet<string>;
  readonly changed: readonly Entry[];
}

/**
 * Asks a server without push for the agent's entries: by SyncAuthorizedEntries, which sends a large set as revisions to compare,
 * or from older servers by GetAuthorizedEntries.
 *
 * @throws {StatusError}
 */
export async function fetchAuthorizedEntries(
  client: Client<typeof EntryService>,
  heldOf: (id: string) => HeldEntry | undefined,
  signal: AbortSignal,
): Promise<AuthorizedSet> {
  try {
    return await synchronize(client, heldOf, signal);
  } catch (err) {
    if (!(err instanceof StatusError) || err.code !== Status.UNIMPLEMENTED) throw err;
    const options = { signal, timeoutMs: CALL_TIMEOUT_MS };
    const { entries } = await client.getAuthorizedEntries({ outputMask: MASK }, options);
    return wholeSet(entries);
  }
}

async function synchronize(
  client: Client<typeof EntryService>,
  heldOf: (id: string) => HeldEntry | undefined,
  signal: AbortSignal,
): Promise<AuthorizedSet> {
  const requests = new Outbox<MessageInitShape<typeof SyncAuthorizedEntriesRequestSchema>>();
  requests.push({ outputMask: MASK });
  const options = { signal, timeoutMs: CALL_TIMEOUT_MS };
  const responses = client.syncAuthorizedEntries(requests, options)[Symbol.asyncIterator]();
  try {
    const first = await next(responses);
    if (first.entryRevisions.length === 0) return wholeSet(await restOf(first, responses));
    const ids = new Set<string>();
    const stale: string[] = [];
    for (let page = first; ; page = await next(responses)) {
      for (const { id, revisionNumber, createdAt } of page.entryRevisions) {
        ids.add(id);
        const held = heldOf(id);
        if (held?.revision !== revisionNumber || held.createdAt !== createdAt) stale.push(id);
      }
      if (!page.more) break;
    }
    return { ids, changed: await fetchStale(stale.sort(), requests, responses) };
  } finally {
    requests.close();
    await responses.return?.();
  }
}

async function fetchStale(
  ids: readonly string[],
  requests: Outbox<MessageInitShape<typeof SyncAuthorizedEntriesRequestSchema>>,
  responses: AsyncIterator<SyncAuthorizedEntriesResponse>,
): Promise<readonly Entry[]> {
  const entries: Entry[] = [];
  for (const some of slicesOf(ids, PAGE_SIZE)) {
    requests.push({ ids: some });
    entries.push(...(await restOf(await next(responses), responses)));
  }
  return entries;
}

/** The entries of an answer that may span several messages. */
async function restOf(
  first: SyncAuthorizedEntriesResponse,
  responses: AsyncIterator<SyncAuthorizedEntriesResponse>,
): Promise<readonly Entry[]> {
  const entries = [...first.entries];
  for (let page = first; page.more; ) {
    page = await next(responses);
    entries.push(...page.entries);
  }
  return entries;
}

async function next(
  responses: AsyncIterator<SyncAuthorizedEntriesResponse>,
): Promise<SyncAuthorizedEntriesResponse> {
  const result = await responses.next();
  if (result.done === true) throw new Error("entries: the server ended the stream halfway");
  return result.value;
}

function wholeSet(entries: readonly Entry[]): AuthorizedSet {
  return { ids: new Set(entries.map(({ id }) => id)), changed: entries };
}
