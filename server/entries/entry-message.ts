import type { Entry } from "../../proto/gen/spire/api/types/entry_pb.ts";
import type { SPIFFEID } from "../../proto/gen/spire/api/types/spiffeid_pb.ts";
import type { AuthorizedEntryRecord } from "../store/records.ts";

// Messages as they are, field by field: the library's create() takes several times as long, and batches have hundreds of them.

/** Writes an entry of the store as the message that every client knows. */
export function encodeEntryRecord(record: AuthorizedEntryRecord): Entry {
  return {
    $typeName: "spire.api.types.Entry",
    id: record.id,
    spiffeId: encodeIdText(record.spiffeId),
    parentId: encodeIdText(record.parentId),
    selectors: record.selectors.map(({ type, value }) => ({
      $typeName: "spire.api.types.Selector",
      type,
      value,
    })),
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
      $typeName: "spire.api.types.Entry.AdditionalAttributes",
      disableX509SvidPrefetch: record.disableX509SvidPrefetch,
      jwtSvidIncludeJti: record.jwtSvidIncludeJti,
    },
  };
}

/** Writes a SPIFFE ID that was checked when it was stored: it is only taken apart. */
export function encodeIdText(id: string): SPIFFEID {
  const start = "spiffe://".length;
  const slash = id.indexOf("/", start);
  const end = slash === -1 ? id.length : slash;
  return {
    $typeName: "spire.api.types.SPIFFEID",
    trustDomain: id.slice(start, end),
    path: id.slice(end),
  };
}
