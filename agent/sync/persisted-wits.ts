import type { StoredWitSvid } from "../../proto/gen/assay/agent/v1/state_pb.ts";
import { readWitSvid } from "../../spiffe/svid/wit-svid.ts";
import type { HeldToken, WitSvid } from "../cache/token-cache.ts";

/** A WIT-SVID as the state file holds it, with its private key. */
export function storeWit({ request, svid }: HeldToken<WitSvid>): Omit<StoredWitSvid, "$typeName"> {
  return {
    entryId: request.entryId,
    instance: request.instance,
    token: svid.token,
    privateJwk: svid.privateJwk,
    hint: svid.hint,
    issuedAtMs: BigInt(svid.issuedAt.getTime()),
  };
}

/** @throws {Error} when the token cannot be read */
export function restoreWit(stored: StoredWitSvid): HeldToken<WitSvid> {
  const { entryId, instance, token, privateJwk, hint } = stored;
  const { id, keyId, expiresAt, claims } = readWitSvid(token);
  const { jti } = claims;
  return {
    request: { entryId, instance, audience: [] },
    svid: {
      token,
      privateJwk,
      spiffeId: id.toString(),
      hint,
      issuedAt: new Date(Number(stored.issuedAtMs)),
      expiresAt,
      keyId,
      ...(typeof jti === "string" && { jti }),
    },
  };
}
