import { create } from "@bufbuild/protobuf";
import { type Entry, EntrySchema } from "../../proto/gen/spire/api/types/entry_pb.ts";
import { type SPIFFEID, SPIFFEIDSchema } from "../../proto/gen/spire/api/types/spiffeid_pb.ts";
import type { AuthorizedEntryRecord } from "../store/records.ts";

/** Writes an entry of the store as the message that every client knows. */
export function encodeEntryRecord(record: AuthorizedEntryRecord): Entry {
  return create(EntrySchema, {
    id: record.id,
    spiffeId: encodeIdText(record.spiffeId),
    parentId: encodeIdText(record.parentId),
    selectors: record.selectors.map(({ type, value }) => ({ type, value })),
    x509SvidTtl: record.x509SvidTtlSeconds,
    jwtSvidTtl: record.jwtSvidTtlSeconds,
    federatesWith: [...record.federatesWith],
    admin: record.admin,
    downstream: record.downstream,
    storeSvid: record.storeSvid,
    expiresAt: BigInt(record.expiresAt),
    dnsNames: [...record.dnsNames],
    revisionNumber: BigInt(record.revisionNumber),
    hint: record.hint,
    createdAt: BigInt(record.createdAt),
    additionalAttributes: {
      disableX509SvidPrefetch: record.disableX509SvidPrefetch,
      jwtSvidIncludeJti: record.jwtSvidIncludeJti,
    },
  });
}

/** Writes a SPIFFE ID that was checked when it was stored: it is only taken apart. */
export function encodeIdText(id: string): SPIFFEID {
  const start = "spiffe://".length;
  const slash = id.indexOf("/", start);
  const end = slash === -1 ? id.length : slash;
  return create(SPIFFEIDSchema, { trustDomain: id.slice(start, end), path: id.slice(end) });
}
