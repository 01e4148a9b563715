import { create, toBinary } from "@bufbuild/protobuf";
import {
  type Admin,
  type EntryResult,
  type EntryWithMetadata,
  EntryWithMetadataSchema,
  type RegistrarReport,
} from "../../proto/gen/assay/admin/v1/admin_pb.ts";
import { Status, type StatusError } from "../../runtime/errors/status-error.ts";
import type { Client } from "../../runtime/rpc/client.ts";
import { SpiffeId } from "../../spiffe/id/spiffe-id.ts";
import type { ActualEntry, DesiredEntry } from "./desired-entry.ts";
import { adminFederationApi, type FederationApi, type FederationCalls } from "./federation-api.ts";
import { inSizedCalls, isTooLarge } from "./sized-calls.ts";

/** What became of one item of a batch. */
export type ItemOutcome =
  | { readonly ok: true; readonly id: string }
  | {
      readonly ok: false;
      readonly code: number;
      readonly message: string;
      /** The entry that is in the way. */
      readonly existing?: ActualEntry;
    };

/** What the registrar asks of the server. Batches answer in the order of their items. All throw StatusErrors. */
export interface EntryApi {
  /** Pages of the entries that came from this registrar's cluster. */
  listOwn(signal: AbortSignal): AsyncIterable<readonly ActualEntry[]>;
  create(entries: readonly DesiredEntry[], signal: AbortSignal): Promise<readonly ItemOutcome[]>;
  update(entries: readonly ActualEntry[], signal: AbortSignal): Promise<readonly ItemOutcome[]>;
  delete(ids: readonly string[], signal: AbortSignal): Promise<readonly ItemOutcome[]>;
  readonly federation: FederationApi;
  /** @returns the holds that somebody has confirmed */
  report(report: RegistrarReport, signal: AbortSignal): Promise<readonly string[]>;
}

/** The calls of the admin API that the registrar makes. */
export type AdminCalls = Pick<
  Client<typeof Admin>,
  "batchCreateEntry" | "batchUpdateEntry" | "batchDeleteEntry" | "listEntries" | "reportRegistrar"
> &
  FederationCalls;

const TIMEOUT_MS = 30_000;
const PAGE_SIZE = 1_000;

/** {@link EntryApi} over the admin API, wherever the server is. */
export function adminEntryApi(admin: AdminCalls, cluster: string): EntryApi {
  const options = (signal: AbortSignal) => ({ signal, timeoutMs: TIMEOUT_MS });
  return {
    async *listOwn(signal) {
      let pageToken = "";
      let pageSize = PAGE_SIZE;
      for (;;) {
        const request = { originCluster: cluster, pageSize, pageToken };
        const page = await admin.listEntries(request, options(signal)).catch((err: unknown) => {
          if (!isTooLarge(err) || pageSize === 1) throw err;
        });
        if (page === undefined) {
          pageSize = Math.ceil(pageSize / 2);
          continue;
        }
        yield page.entries.flatMap((each) => decodeEntry(each) ?? []);
        pageToken = page.nextPageToken;
        if (pageToken === "") return;
      }
    },
    create: (entries, signal) =>
      inSizedCalls(
        entries.map((entry) => encodeEntry(entry)),
        {
          ...sized,
          call: async (part) =>
            outcomesOf(await admin.batchCreateEntry({ entries: [...part] }, options(signal))),
        },
      ),
    update: (entries, signal) =>
      inSizedCalls(
        entries.map((entry) => encodeEntry(entry, entry.id)),
        {
          ...sized,
          call: async (part) =>
            outcomesOf(await admin.batchUpdateEntry({ entries: [...part] }, options(signal))),
        },
      ),
    delete: async (ids, signal) =>
      outcomesOf(await admin.batchDeleteEntry({ ids: [...ids] }, options(signal))),
    federation: adminFederationApi(admin, cluster),
    report: async (report, signal) =>
      (await admin.reportRegistrar({ report }, options(signal))).confirmedHolds,
  };
}

/** How entries are sent in calls that fit. */
const sized = {
  sizeOf: (entry: EntryWithMetadata) => toBinary(EntryWithMetadataSchema, entry).length,
  refuse: (_: EntryWithMetadata, { code }: StatusError): ItemOutcome => ({
    ok: false,
    code,
    message: "the entry is too large for a message",
  }),
};

function outcomesOf({
  results,
}: {
  readonly results: readonly EntryResult[];
}): readonly ItemOutcome[] {
  return results.map(({ status, entry }) => {
    const code = status?.code ?? Status.UNKNOWN;
    if (code === Status.OK) return { ok: true, id: entry?.entry?.id ?? "" };
    const existing = entry === undefined ? undefined : decodeEntry(entry);
    const message = status?.message ?? "";
    return { ok: false, code, message, ...(existing && { existing }) };
  });
}

function encodeEntry(entry: DesiredEntry, id = ""): EntryWithMetadata {
  const { origin } = entry;
  return create(EntryWithMetadataSchema, {
    entry: {
      id,
      spiffeId: wireId(entry.spiffeId),
      parentId: wireId(entry.parentId),
      selectors: entry.selectors.map(({ type, value }) => ({ type, value })),
      x509SvidTtl: entry.x509SvidTtlSeconds,
      jwtSvidTtl: entry.jwtSvidTtlSeconds,
      federatesWith: [...entry.federatesWith],
      admin: entry.admin,
      downstream: entry.downstream,
      storeSvid: entry.storeSvid,
      dnsNames: [...entry.dnsNames],
      hint: entry.hint,
    },
    metadata: {
      owner: entry.owner,
      labels: { ...entry.labels },
      origin: { ...origin, generation: BigInt(origin.generation) },
    },
  });
}

// The server has checked what it answers; an entry without its parts is none.
function decodeEntry({ entry, metadata }: EntryWithMetadata): ActualEntry | undefined {
  if (entry?.spiffeId === undefined || entry.parentId === undefined) return undefined;
  const origin = metadata?.origin;
  return {
    id: entry.id,
    spiffeId: textOf(entry.spiffeId),
    parentId: textOf(entry.parentId),
    selectors: entry.selectors.map(({ type, value }) => ({ type, value })),
    x509SvidTtlSeconds: entry.x509SvidTtl,
    jwtSvidTtlSeconds: entry.jwtSvidTtl,
    federatesWith: entry.federatesWith,
    admin: entry.admin,
    downstream: entry.downstream,
    storeSvid: entry.storeSvid,
    dnsNames: entry.dnsNames,
    hint: entry.hint,
    owner: metadata?.owner ?? "",
    labels: metadata?.labels ?? {},
    origin: {
      kind: origin?.kind ?? "",
      cluster: origin?.cluster ?? "",
      namespace: origin?.namespace ?? "",
      name: origin?.name ?? "",
      uid: origin?.uid ?? "",
      generation: Number(origin?.generation ?? 0n),
    },
  };
}

function wireId(text: string): { readonly trustDomain: string; readonly path: string } {
  const { trustDomain, path } = SpiffeId.parse(text);
  return { trustDomain: trustDomain.name, path };
}

function textOf({ trustDomain, path }: { readonly trustDomain: string; readonly path: string }) {
  return `spiffe://${trustDomain}${path}`;
}
