/** The public entry API: what administrators do with entries, and what agents may read of them. */
import { decodeEntryChanges, decodeEntryFields, decodeEntryId } from "../../proto/convert/entry.ts";
import { checkCount, decodePageSize } from "../../proto/convert/field.ts";
import { type Projection, projectEntry } from "../../proto/convert/mask.ts";
import { Entry as EntryApi } from "../../proto/gen/spire/api/server/entry/v1/entry_pb.ts";
import type { Entry, EntryMask } from "../../proto/gen/spire/api/types/entry_pb.ts";
import type { Status } from "../../proto/gen/spire/api/types/status_pb.ts";
import { notFound, StatusError } from "../../runtime/errors/status-error.ts";
import { type Registration, service } from "../../runtime/rpc/service.ts";
import type { TrustDomain } from "../../spiffe/id/trust-domain.ts";
import type { Authorization } from "../entries/authorization.ts";
import type { EntryDraft, EntryRevisionDraft } from "../entries/entry-draft.ts";
import { encodeEntryRecord } from "../entries/entry-message.ts";
import type { Attempt, EntryOutcome, EntryWriter, EntryWrites } from "../entries/entry-writes.ts";
import type { Store } from "../store/store.ts";
import { authorizedEntries, syncAuthorizedEntries } from "./authorized-entries.ts";
import { type Caller, grantsOfCaller, nameOfCaller } from "./caller.ts";
import { decodeEntriesFilter } from "./entries-filter.ts";
import { statusOf } from "./item-status.ts";

export interface EntryServiceDeps {
  readonly trustDomain: TrustDomain;
  readonly store: Pick<Store, "read">;
  readonly writes: EntryWrites;
  readonly authorization: Authorization;
}

/** The most entries in one batch. */
export const MAX_ENTRY_BATCH = 10_000;

const pageSizes = { defaultSize: 500, maxSize: 10_000 };

const CREATE_RESULT = "spire.api.server.entry.v1.BatchCreateEntryResponse.Result";
const UPDATE_RESULT = "spire.api.server.entry.v1.BatchUpdateEntryResponse.Result";

/** What creating and changing answer alike, as the message that it is. */
interface Result<Name extends string> {
  readonly $typeName: Name;
  readonly status: Status;
  readonly entry: Entry | undefined;
}

export function entryService(deps: EntryServiceDeps): Registration<Caller> {
  const { store, writes, trustDomain, authorization } = deps;
  return service<typeof EntryApi, Caller>(EntryApi, {
    countEntries: async ({ filter }) => ({
      count: await store.read("countEntries", { filter: decodeEntriesFilter(filter) }),
    }),

    listEntries: async ({ filter, outputMask, pageSize, pageToken }) => {
      const page = await store.read("listEntries", {
        filter: decodeEntriesFilter(filter),
        page: {
          pageSize: decodePageSize("page_size", pageSize, pageSizes),
          ...(pageToken !== "" && { pageToken }),
        },
      });
      const project = projectEntry(outputMask);
      return {
        entries: page.items.map(({ entry }) => project(encodeEntryRecord(entry))),
        nextPageToken: page.nextPageToken ?? "",
      };
    },

    getEntry: async ({ id, outputMask }) => {
      const listed = await store.read("getEntry", { id: decodeEntryId("id", id) });
      if (listed === undefined) throw notFound("entry not found", { reason: "entry_not_found" });
      return projectEntry(outputMask)(encodeEntryRecord(listed.entry));
    },

    batchCreateEntry: async ({ entries, outputMask }, { caller }) => {
      checkCount("entries", entries, MAX_ENTRY_BATCH);
      const drafts = entries.map((entry, index) =>
        attempt(() => decodeDraft(`entries[${index}]`, entry, trustDomain)),
      );
      const { outcomes } = await writes.create(drafts, writerOf(caller));
      const project = projectEntry(outputMask);
      return { results: outcomes.map((outcome) => resultOf(CREATE_RESULT, outcome, project)) };
    },

    batchUpdateEntry: async ({ entries, inputMask, outputMask }, { caller }) => {
      checkCount("entries", entries, MAX_ENTRY_BATCH);
      const drafts = entries.map((entry, index) =>
        attempt(() => decodeRevision(`entries[${index}]`, entry, inputMask, trustDomain)),
      );
      const { outcomes } = await writes.update(drafts, writerOf(caller));
      const project = projectEntry(outputMask);
      return { results: outcomes.map((outcome) => resultOf(UPDATE_RESULT, outcome, project)) };
    },

    batchDeleteEntry: async ({ ids }, { caller }) => {
      checkCount("ids", ids, MAX_ENTRY_BATCH);
      const { outcomes } = await writes.delete(ids, writerOf(caller));
      return {
        results: outcomes.map((outcome, index) => ({
          id: ids[index] ?? "",
          status: statusOf(outcome),
        })),
      };
    },

    getAuthorizedEntries: async ({ outputMask }, { caller }) =>
      authorizedEntries(authorization, caller, outputMask),

    syncAuthorizedEntries: (requests, { caller }) =>
      syncAuthorizedEntries(authorization, caller, requests),
  });
}

/** The caller as the writer of entries. */
export function writerOf(caller: Caller): EntryWriter {
  return { grants: grantsOfCaller(caller), actor: nameOfCaller(caller) };
}

/** Reads an entry that is to be created. @throws {StatusError} INVALID_ARGUMENT */
export function decodeDraft(field: string, entry: Entry, trustDomain: TrustDomain): EntryDraft {
  return {
    ...(entry.id !== "" && { id: decodeEntryId(`${field}.id`, entry.id) }),
    fields: decodeEntryFields(field, entry, trustDomain),
    extra: {},
  };
}

/** Reads a change of an entry. @throws {StatusError} INVALID_ARGUMENT */
export function decodeRevision(
  field: string,
  entry: Entry,
  mask: EntryMask | undefined,
  trustDomain: TrustDomain,
): EntryRevisionDraft {
  return {
    id: decodeEntryId(`${field}.id`, entry.id),
    fields: decodeEntryChanges(field, entry, mask, trustDomain),
    extra: {},
  };
}

/** Keeps what goes wrong with one item of a batch to that item. */
export function attempt<T>(read: () => T): Attempt<T> {
  try {
    return read();
  } catch (err) {
    if (err instanceof StatusError) return err;
    throw err;
  }
}

function resultOf<Name extends string>(
  $typeName: Name,
  outcome: EntryOutcome,
  project: Projection<Entry>,
): Result<Name> {
  const { item } = outcome;
  return {
    $typeName,
    status: statusOf(outcome),
    entry: item && project(encodeEntryRecord(item)),
  };
}
