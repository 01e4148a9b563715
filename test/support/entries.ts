import type { NewEntry } from "../../server/store/contract/entries.ts";
import type { AuthorizedEntryRecord, SelectorRecord } from "../../server/store/records.ts";

/** Makes a selector from its usual text, "type:value". */
export function selector(text: string): SelectorRecord {
  const colon = text.indexOf(":");
  return { type: text.slice(0, colon), value: text.slice(colon + 1) };
}

/** An entry that asks for nothing special: `id` names it, and the rest may be given. */
export function newEntry(id: string, fields: Partial<Omit<NewEntry, "id">> = {}): NewEntry {
  return {
    id,
    spiffeId: `spiffe://example.test/${id}`,
    parentId: "spiffe://example.test/spire/agent/x509pop/node",
    selectors: [selector("unix:uid:1000")],
    x509SvidTtlSeconds: 0,
    jwtSvidTtlSeconds: 0,
    federatesWith: [],
    admin: false,
    downstream: false,
    storeSvid: false,
    expiresAt: 0,
    dnsNames: [],
    hint: "",
    disableX509SvidPrefetch: false,
    jwtSvidIncludeJti: false,
    allowedAudiences: [],
    unrestrictedFederation: [],
    instanceScope: "",
    jwtAlgorithm: "",
    side: {
      owner: "",
      purpose: "",
      labels: {},
      ticket: "",
      reviewBy: 0,
      createdBy: "",
      updatedBy: "",
    },
    ...fields,
  };
}

/** The same as an index holds it. */
export function authorizedEntry(
  id: string,
  fields: Partial<Omit<AuthorizedEntryRecord, "id">> = {},
): AuthorizedEntryRecord {
  const { side: _, ...entry } = newEntry(id);
  return { ...entry, revisionNumber: 0, createdAt: 0, ...fields };
}
