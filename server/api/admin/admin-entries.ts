/** Entries with what they mean to people: the entry calls of assay.admin.v1. */
import { create } from "@bufbuild/protobuf";
import { checkCount, decodePageSize, requireField } from "../../../proto/convert/field.ts";
import {
  type Admin,
  type EntryResult,
  EntryResultSchema,
  type EntryWithMetadata,
} from "../../../proto/gen/assay/admin/v1/admin_pb.ts";
import type { EntryMask } from "../../../proto/gen/spire/api/types/entry_pb.ts";
import type { Handlers } from "../../../runtime/rpc/service.ts";
import type { TrustDomain } from "../../../spiffe/id/trust-domain.ts";
import type { EntryDraft, EntryRevisionDraft } from "../../entries/entry-draft.ts";
import type { EntryOutcome, EntryOutcomes, EntryWrites } from "../../entries/entry-writes.ts";
import type { ListEntriesFilter } from "../../store/contract/entries.ts";
import type { Store } from "../../store/store.ts";
import type { Caller } from "../caller.ts";
import { decodeEntriesFilter } from "../entries-filter.ts";
import {
  attempt,
  decodeDraft,
  decodeRevision,
  MAX_ENTRY_BATCH,
  writerOf,
} from "../entry-service.ts";
import { statusOf } from "../item-status.ts";
import {
  decodeMetadata,
  decodeMetadataFields,
  encodeEntryWithMetadata,
  pickMetadata,
} from "./entry-metadata.ts";

export interface AdminEntriesDeps {
  readonly trustDomain: TrustDomain;
  readonly store: Pick<Store, "read">;
  readonly writes: EntryWrites;
}

type EntryCalls = "batchCreateEntry" | "batchUpdateEntry" | "batchDeleteEntry" | "listEntries";

const pageSizes = { defaultSize: 500, maxSize: 5_000 };

export function adminEntries(
  deps: AdminEntriesDeps,
): Pick<Handlers<typeof Admin, Caller>, EntryCalls> {
  const { store, writes, trustDomain } = deps;
  return {
    batchCreateEntry: async ({ entries, dryRun }, { caller }) => {
      checkCount("entries", entries, MAX_ENTRY_BATCH);
      const drafts = entries.map((each, index) =>
        attempt(() => readDraft(`entries[${index}]`, each, trustDomain)),
      );
      return answerOf(await writes.create(drafts, writerOf(caller), { dryRun }));
    },

    batchUpdateEntry: async ({ entries, inputMask, metadataFields, dryRun }, { caller }) => {
      checkCount("entries", entries, MAX_ENTRY_BATCH);
      const chosen = decodeMetadataFields("metadata_fields", metadataFields);
      const drafts = entries.map((each, index) =>
        attempt(() => {
          const draft = readRevision(`entries[${index}]`, each, inputMask, trustDomain);
          return { ...draft, extra: pickMetadata(draft.extra, chosen) };
        }),
      );
      return answerOf(await writes.update(drafts, writerOf(caller), { dryRun }));
    },

    batchDeleteEntry: async ({ ids, dryRun }, { caller }) => {
      checkCount("ids", ids, MAX_ENTRY_BATCH);
      return answerOf(await writes.delete(ids, writerOf(caller), { dryRun }));
    },

    listEntries: async (request) => {
      if (request.ids.length > 0) return { entries: await byId(store, request.ids) };
      const { pageSize, pageToken } = request;
      const page = await store.read("listEntries", {
        filter: filterOf(request),
        page: {
          pageSize: decodePageSize("page_size", pageSize, pageSizes),
          ...(pageToken !== "" && { pageToken }),
        },
      });
      return {
        entries: page.items.map(({ entry, usage }) => encodeEntryWithMetadata(entry, usage)),
        nextPageToken: page.nextPageToken ?? "",
      };
    },
  };
}

function readDraft(
  field: string,
  { entry, metadata }: EntryWithMetadata,
  trustDomain: TrustDomain,
): EntryDraft {
  const draft = decodeDraft(field, requireField(`${field}.entry`, entry), trustDomain);
  return { ...draft, extra: decodeMetadata(`${field}.metadata`, metadata) };
}

function readRevision(
  field: string,
  { entry, metadata }: EntryWithMetadata,
  mask: EntryMask | undefined,
  trustDomain: TrustDomain,
): EntryRevisionDraft {
  const wanted = requireField(`${field}.entry`, entry);
  const draft = decodeRevision(field, wanted, mask, trustDomain);
  return { ...draft, extra: decodeMetadata(`${field}.metadata`, metadata) };
}

async function byId(
  store: Pick<Store, "read">,
  ids: readonly string[],
): Promise<EntryWithMetadata[]> {
  checkCount("ids", ids, pageSizes.maxSize);
  const found = await Promise.all(ids.map((id) => store.read("getEntry", { id })));
  return found.flatMap((each) => (each ? [encodeEntryWithMetadata(each.entry, each.usage)] : []));
}

function filterOf(request: {
  readonly unowned: boolean;
  readonly owner: string;
  readonly unusedSince: bigint;
  readonly originCluster: string;
  readonly filter?: Parameters<typeof decodeEntriesFilter>[0];
}): ListEntriesFilter {
  const { unowned, owner, unusedSince, originCluster, filter } = request;
  return {
    ...decodeEntriesFilter(filter),
    ...((unowned || owner !== "") && { byOwner: unowned ? "" : owner }),
    ...(originCluster !== "" && { byOriginCluster: originCluster }),
    ...(unusedSince > 0n && { unusedSince: Number(unusedSince) }),
  };
}

function answerOf({ outcomes, revision }: EntryOutcomes) {
  return { results: outcomes.map(resultOf), revision };
}

function resultOf(outcome: EntryOutcome): EntryResult {
  const { item, warnings } = outcome;
  return create(EntryResultSchema, {
    status: statusOf(outcome),
    warnings: [...warnings],
    ...(item && { entry: encodeEntryWithMetadata(item) }),
  });
}
