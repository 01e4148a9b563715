import type { AuthorizedEntryRecord } from "../records.ts";

/** What many entries have in common: everything but who they are and whom they match. */
export type EntryTerms = Omit<
  AuthorizedEntryRecord,
  "id" | "spiffeId" | "parentId" | "selectors" | "revisionNumber" | "createdAt"
>;

const NAMES: Record<keyof EntryTerms, true> = {
  x509SvidTtlSeconds: true,
  jwtSvidTtlSeconds: true,
  federatesWith: true,
  admin: true,
  downstream: true,
  storeSvid: true,
  expiresAt: true,
  dnsNames: true,
  hint: true,
  disableX509SvidPrefetch: true,
  jwtSvidIncludeJti: true,
  allowedAudiences: true,
  unrestrictedFederation: true,
  instanceScope: true,
  jwtAlgorithm: true,
};

/** The name of each part. */
export const TERMS_NAMES = Object.keys(NAMES) as readonly (keyof EntryTerms)[];

/** Whether two entries have equal terms; what else they are made of is not looked at. */
export function haveSameTerms(a: EntryTerms, b: EntryTerms): boolean {
  for (const name of TERMS_NAMES) {
    const left = a[name];
    const right = b[name];
    if (left !== right && !(isList(left) && isList(right) && areEqual(left, right))) return false;
  }
  return true;
}

/** The terms by themselves of what may be a whole entry. */
export function termsOf(entry: EntryTerms): EntryTerms {
  return {
    x509SvidTtlSeconds: entry.x509SvidTtlSeconds,
    jwtSvidTtlSeconds: entry.jwtSvidTtlSeconds,
    federatesWith: entry.federatesWith,
    admin: entry.admin,
    downstream: entry.downstream,
    storeSvid: entry.storeSvid,
    expiresAt: entry.expiresAt,
    dnsNames: entry.dnsNames,
    hint: entry.hint,
    disableX509SvidPrefetch: entry.disableX509SvidPrefetch,
    jwtSvidIncludeJti: entry.jwtSvidIncludeJti,
    allowedAudiences: entry.allowedAudiences,
    unrestrictedFederation: entry.unrestrictedFederation,
    instanceScope: entry.instanceScope,
    jwtAlgorithm: entry.jwtAlgorithm,
  };
}

function isList(value: EntryTerms[keyof EntryTerms]): value is readonly string[] {
  return typeof value === "object";
}

function areEqual(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((text, i) => text === b[i]);
}
