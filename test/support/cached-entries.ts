// Entries and X509-SVIDs as an agent's cache holds them. A test names only what matters to it.

import type { CachedEntry } from "../../agent/cache/entry.ts";
import type { X509SvidOrder } from "../../agent/cache/x509-svid-orders.ts";
import type { X509SvidRecord } from "../../agent/cache/x509-svid-record.ts";

export function cachedEntry(
  id: string,
  selectors: readonly string[],
  changes: Partial<CachedEntry> = {},
): CachedEntry {
  return {
    id,
    revision: 0n,
    createdAt: 1_700_000_000n,
    expiresAt: 0n,
    spiffeId: `spiffe://td.test/${id}`,
    selectors: selectors.map((value) => ({ type: "unix", value })),
    federatesWith: [],
    unrestrictedFederation: [],
    hint: "",
    privileged: false,
    storeSvid: false,
    prefetch: true,
    freshJwt: false,
    instanceScope: "platform",
    allowedAudiences: [],
    ...changes,
  };
}

let lastSerial = 0;

/** What a server might have answered to an order at `now`: good for an hour, due after twenty minutes. */
export function recordFor(
  { entry }: X509SvidOrder,
  now: Date,
  changes: Partial<X509SvidRecord> = {},
): X509SvidRecord {
  lastSerial += 1;
  return {
    entryId: entry.id,
    entryRevision: entry.revision,
    spiffeId: entry.spiffeId,
    serialNumber: lastSerial.toString(16).padStart(4, "0"),
    certificateChainDer: new Uint8Array([lastSerial]),
    privateKeyPkcs8: new Uint8Array([lastSerial]),
    notBefore: now,
    notAfter: new Date(now.getTime() + 3_600_000),
    renewAt: new Date(now.getTime() + 1_200_000),
    authorityKeyIds: ["aa"],
    ...changes,
  };
}
