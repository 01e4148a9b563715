import type { SpiffeId } from "../../spiffe/id/spiffe-id.ts";
import type { TrustDomain } from "../../spiffe/id/trust-domain.ts";
import type { Entry, EntryMask } from "../gen/spire/api/types/entry_pb.ts";
import type { Selector } from "../selector.ts";
import { decodeDnsNames } from "./dns-name.ts";
import { checkCount, decodeSeconds, decodeText, decodeUnixSeconds, fieldError } from "./field.ts";
import { decodeMemberId, decodeTrustDomains } from "./id.ts";
import { decodeSelectors } from "./selector.ts";

/** Longest hint in bytes (Workload API 5.2.1). */
const MAX_HINT_BYTES = 1024;
/** Longest entry ID in bytes. */
const MAX_ENTRY_ID_BYTES = 255;
const MAX_FEDERATES_WITH = 1024;

/**
 * What a caller may say about an entry: the fields of `types.Entry` without those that only the server writes
 * (`revision_number`, `created_at`).
 */
export interface EntryFields {
  readonly spiffeId: SpiffeId;
  readonly parentId: SpiffeId;
  /** Sorted, each once, never empty. */
  readonly selectors: readonly Selector[];
  /** Zero takes the server's default. */
  readonly x509SvidTtlSeconds: number;
  /** Zero takes the server's default. */
  readonly jwtSvidTtlSeconds: number;
  /** Sorted by name, each once. */
  readonly federatesWith: readonly TrustDomain[];
  readonly admin: boolean;
  readonly downstream: boolean;
  readonly expiresAt: Date | undefined;
  /** In the caller's order, each once; the first becomes the common name. */
  readonly dnsNames: readonly string[];
  readonly storeSvid: boolean;
  readonly hint: string;
  readonly disableX509SvidPrefetch: boolean;
  readonly jwtSvidIncludeJti: boolean;
}

/**
 * Reads the ID that names an entry in a request.
 *
 * @throws {StatusError} INVALID_ARGUMENT when it is empty, too long, or holds more than letters, digits, dots, dashes, underscores
 */
export function decodeEntryId(field: string, id: string): string {
  decodeText(field, id, { maxBytes: MAX_ENTRY_ID_BYTES, required: true });
  if (!/^[A-Za-z0-9._-]+$/.test(id)) {
    throw fieldError(field, "may hold only letters, digits, dots, dashes and underscores");
  }
  return id;
}

/**
 * Reads everything that a caller says about an entry. What an ID may be used for is the server's policy, not checked here.
 *
 * @param trustDomain the server's own: entries and their parents live in it
 * @throws {StatusError} INVALID_ARGUMENT with the first field that breaks a rule
 */
export function decodeEntryFields(
  field: string,
  entry: Entry,
  trustDomain: TrustDomain,
): EntryFields {
  const request: EntryRequest = { field, entry, trustDomain };
  return {
    spiffeId: READERS.spiffeId(request),
    parentId: READERS.parentId(request),
    selectors: READERS.selectors(request),
    x509SvidTtlSeconds: READERS.x509SvidTtlSeconds(request),
    jwtSvidTtlSeconds: READERS.jwtSvidTtlSeconds(request),
    federatesWith: READERS.federatesWith(request),
    admin: READERS.admin(request),
    downstream: READERS.downstream(request),
    expiresAt: READERS.expiresAt(request),
    dnsNames: READERS.dnsNames(request),
    storeSvid: READERS.storeSvid(request),
    hint: READERS.hint(request),
    disableX509SvidPrefetch: READERS.disableX509SvidPrefetch(request),
    jwtSvidIncludeJti: READERS.jwtSvidIncludeJti(request),
  };
}

/** The part of {@link EntryFields} that an update names. A key that is present is to be written, also as undefined. */
export type EntryChanges = { readonly [K in keyof EntryFields]?: EntryFields[K] | undefined };

/**
 * Reads the fields that an update's input mask names, or all of them without a mask; others are not looked at.
 *
 * @throws {StatusError} INVALID_ARGUMENT with the first field that breaks a rule
 */
export function decodeEntryChanges(
  field: string,
  entry: Entry,
  mask: EntryMask | undefined,
  trustDomain: TrustDomain,
): EntryChanges {
  if (mask === undefined) return decodeEntryFields(field, entry, trustDomain);
  const request: EntryRequest = { field, entry, trustDomain };
  const changes: { -readonly [K in keyof EntryChanges]: EntryChanges[K] } = {};
  function take<K extends keyof EntryFields>(key: K, chosen: boolean): void {
    if (chosen) changes[key] = READERS[key](request);
  }
  take("spiffeId", mask.spiffeId);
  take("parentId", mask.parentId);
  take("selectors", mask.selectors);
  take("x509SvidTtlSeconds", mask.x509SvidTtl);
  take("jwtSvidTtlSeconds", mask.jwtSvidTtl);
  take("federatesWith", mask.federatesWith);
  take("admin", mask.admin);
  take("downstream", mask.downstream);
  take("expiresAt", mask.expiresAt);
  take("dnsNames", mask.dnsNames);
  take("storeSvid", mask.storeSvid);
  take("hint", mask.hint);
  take("disableX509SvidPrefetch", mask.additionalAttributes);
  take("jwtSvidIncludeJti", mask.additionalAttributes);
  return changes;
}

interface EntryRequest {
  readonly field: string;
  readonly entry: Entry;
  readonly trustDomain: TrustDomain;
}

const READERS: {
  readonly [K in keyof EntryFields]: (request: EntryRequest) => EntryFields[K];
} = {
  spiffeId: ({ field, entry, trustDomain }) =>
    decodeMemberId(`${field}.spiffe_id`, entry.spiffeId, trustDomain),
  parentId: ({ field, entry, trustDomain }) =>
    decodeMemberId(`${field}.parent_id`, entry.parentId, trustDomain),
  selectors: ({ field, entry }) => {
    const selectors = decodeSelectors(`${field}.selectors`, entry.selectors);
    if (selectors.length === 0) throw fieldError(`${field}.selectors`, "must not be empty");
    return selectors;
  },
  x509SvidTtlSeconds: ({ field, entry }) =>
    decodeSeconds(`${field}.x509_svid_ttl`, entry.x509SvidTtl),
  jwtSvidTtlSeconds: ({ field, entry }) => decodeSeconds(`${field}.jwt_svid_ttl`, entry.jwtSvidTtl),
  federatesWith: ({ field, entry, trustDomain }) => {
    checkCount(`${field}.federates_with`, entry.federatesWith, MAX_FEDERATES_WITH);
    const trustDomains = decodeTrustDomains(`${field}.federates_with`, entry.federatesWith);
    if (trustDomains.some((other) => other.equals(trustDomain))) {
      throw fieldError(`${field}.federates_with`, "must not name the server's own trust domain");
    }
    return trustDomains;
  },
  admin: ({ entry }) => entry.admin,
  downstream: ({ entry }) => entry.downstream,
  expiresAt: ({ field, entry }) => decodeUnixSeconds(`${field}.expires_at`, entry.expiresAt),
  dnsNames: ({ field, entry }) => decodeDnsNames(`${field}.dns_names`, entry.dnsNames),
  storeSvid: ({ entry }) => entry.storeSvid,
  hint: ({ field, entry }) => {
    const hint = decodeText(`${field}.hint`, entry.hint, { maxBytes: MAX_HINT_BYTES });
    if (/\p{Cc}/u.test(hint))
      throw fieldError(`${field}.hint`, "must not contain control characters");
    return hint;
  },
  disableX509SvidPrefetch: ({ entry }) =>
    entry.additionalAttributes?.disableX509SvidPrefetch ?? false,
  jwtSvidIncludeJti: ({ entry }) => entry.additionalAttributes?.jwtSvidIncludeJti ?? false,
};
