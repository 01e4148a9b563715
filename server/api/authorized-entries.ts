/**
 * What an agent may read of the entries through the public API, all at once or only what it lacks.
 * Agents of ours use the push stream instead.
 */
import type { MessageInitShape } from "@bufbuild/protobuf";
import { projectEntry } from "../../proto/convert/mask.ts";
import type {
  GetAuthorizedEntriesResponseSchema,
  SyncAuthorizedEntriesRequest,
  SyncAuthorizedEntriesResponseSchema,
} from "../../proto/gen/spire/api/server/entry/v1/entry_pb.ts";
import type { EntryMask } from "../../proto/gen/spire/api/types/entry_pb.ts";
import { internal, invalidArgument } from "../../runtime/errors/status-error.ts";
import type { Authorization } from "../entries/authorization.ts";
import { encodeEntryRecord } from "../entries/entry-message.ts";
import type { AuthorizedEntryRecord } from "../store/records.ts";
import type { Caller } from "./caller.ts";

type SyncAnswer = MessageInitShape<typeof SyncAuthorizedEntriesResponseSchema>;

/** Entries or revisions in one message; whole pages stay far below the message limit. */
const pageSize = 500;

/** Every entry that the agent may see. */
export function authorizedEntries(
  authorization: Authorization,
  caller: Caller,
  mask: EntryMask | undefined,
): MessageInitShape<typeof GetAuthorizedEntriesResponseSchema> {
  const project = projectEntry(mask);
  const entries = authorization.forAgent(agentIdOf(caller));
  return { entries: entries.map((entry) => project(encodeEntryRecord(entry))) };
}

/**
 * A small set is answered whole. A large one is answered with IDs and revisions, and then with the
 * entries that the agent asks for by ID.
 */
export async function* syncAuthorizedEntries(
  authorization: Authorization,
  caller: Caller,
  requests: AsyncIterable<SyncAuthorizedEntriesRequest>,
): AsyncGenerator<SyncAnswer> {
  const agentId = agentIdOf(caller);
  const asked = requests[Symbol.asyncIterator]();
  const first = await asked.next();
  if (first.done) return;
  const mask = checkFirst(first.value);
  const project = projectEntry(mask);
  const encode = (entry: AuthorizedEntryRecord) => project(encodeEntryRecord(entry));
  const all = authorization.forAgent(agentId).toSorted((a, b) => (a.id < b.id ? -1 : 1));
  if (all.length <= pageSize) {
    yield { entries: all.map(encode) };
    return;
  }
  yield* pagesOf(all, (page) => ({
    entryRevisions: page.map(({ id, revisionNumber, createdAt }) => ({
      id,
      revisionNumber: BigInt(revisionNumber),
      createdAt: BigInt(createdAt),
    })),
  }));
  for (let next = await asked.next(); !next.done; next = await asked.next()) {
    const { ids } = next.value;
    // What is no longer there, or no longer the agent's, is left out: the agent learns of it next time.
    const wanted = ids.flatMap((id) => authorization.find(agentId, id) ?? []);
    yield* pagesOf(wanted, (page) => ({ entries: page.map(encode) }));
  }
}

function checkFirst({ outputMask, ids }: SyncAuthorizedEntriesRequest): EntryMask | undefined {
  if (ids.length > 0) throw invalidArgument("specifying IDs on initial request is not supported");
  if (outputMask !== undefined && !outputMask.revisionNumber) {
    throw invalidArgument("revision number cannot be masked");
  }
  return outputMask;
}

/** At least one message, the last without `more`. */
function* pagesOf<T>(
  items: readonly T[],
  messageOf: (page: readonly T[]) => SyncAnswer,
): Generator<SyncAnswer> {
  let start = 0;
  do {
    const page = items.slice(start, start + pageSize);
    start += pageSize;
    yield { ...messageOf(page), more: start < items.length };
  } while (start < items.length);
}

function agentIdOf(caller: Caller): string {
  // The access table lets agents through only.
  if (caller.kind !== "agent") throw internal("internal error");
  return caller.id;
}
