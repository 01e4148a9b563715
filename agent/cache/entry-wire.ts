import { create } from "@bufbuild/protobuf";
import { decodeMemberId, encodeSpiffeId } from "../../proto/convert/id.ts";
import {
  type AuthorizedEntry,
  AuthorizedEntrySchema,
} from "../../proto/gen/assay/sync/v1/sync_pb.ts";
import { SpiffeId } from "../../spiffe/id/spiffe-id.ts";
import type { TrustDomain } from "../../spiffe/id/trust-domain.ts";
import type { CachedEntry } from "./entry.ts";
import { parseInstanceScope } from "./instance.ts";

/**
 * Reads an entry that the server sent, keeping what an agent needs and nothing of the message itself.
 *
 * @throws {Error} when it has no id or no SPIFFE ID of this trust domain
 */
export function readEntry(authorized: AuthorizedEntry, trustDomain: TrustDomain): CachedEntry {
  const { entry } = authorized;
  if (entry === undefined || entry.id === "") throw new Error("entry: without id");
  return {
    id: entry.id,
    revision: entry.revisionNumber,
    createdAt: entry.createdAt,
    expiresAt: entry.expiresAt,
    spiffeId: decodeMemberId("spiffe_id", entry.spiffeId, trustDomain).toString(),
    selectors: entry.selectors.map(({ type, value }) => ({ type, value })),
    federatesWith: [...entry.federatesWith],
    unrestrictedFederation: [...authorized.unrestrictedFederation],
    hint: entry.hint,
    privileged: entry.admin || entry.downstream,
    storeSvid: entry.storeSvid,
    prefetch: !entry.storeSvid && entry.additionalAttributes?.disableX509SvidPrefetch !== true,
    freshJwt: entry.additionalAttributes?.jwtSvidIncludeJti === true,
    instanceScope: parseInstanceScope(authorized.instanceScope),
    allowedAudiences: [...authorized.allowedAudiences],
  };
}

/** The message that `readEntry` reads the same entry from, for the state file. */
export function writeEntry(entry: CachedEntry): AuthorizedEntry {
  return create(AuthorizedEntrySchema, {
    entry: {
      id: entry.id,
      revisionNumber: entry.revision,
      createdAt: entry.createdAt,
      expiresAt: entry.expiresAt,
      spiffeId: encodeSpiffeId(SpiffeId.parse(entry.spiffeId)),
      selectors: [...entry.selectors],
      federatesWith: [...entry.federatesWith],
      hint: entry.hint,
      admin: entry.privileged,
      storeSvid: entry.storeSvid,
      additionalAttributes: {
        disableX509SvidPrefetch: !entry.prefetch && !entry.storeSvid,
        jwtSvidIncludeJti: entry.freshJwt,
      },
    },
    instanceScope: entry.instanceScope === "platform" ? "" : entry.instanceScope,
    allowedAudiences: [...entry.allowedAudiences],
    unrestrictedFederation: [...entry.unrestrictedFederation],
  });
}
