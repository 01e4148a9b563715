import { create } from "@bufbuild/protobuf";
import type { SpiffeId } from "../../spiffe/id/spiffe-id.ts";
import { type JWTSVID, JWTSVIDSchema } from "../gen/spire/api/types/jwtsvid_pb.ts";
import { type WITSVID, WITSVIDSchema } from "../gen/spire/api/types/witsvid_pb.ts";
import { type X509SVID, X509SVIDSchema } from "../gen/spire/api/types/x509svid_pb.ts";
import { encodeUnixSeconds } from "./field.ts";
import { encodeSpiffeId } from "./id.ts";

/** An X509-SVID on its way from server to agent, without its key. */
export interface IssuedX509Svid {
  readonly id: SpiffeId;
  /** DER, leaf first, never empty. */
  readonly certificateChainDer: readonly Uint8Array[];
  /** End of the leaf's validity, whole seconds. */
  readonly expiresAt: Date;
  readonly hint: string;
}

/** A JWT-SVID or WIT-SVID on its way from server to agent. */
export interface IssuedToken {
  readonly id: SpiffeId;
  /** JWS in compact serialisation. */
  readonly token: string;
  readonly expiresAt: Date;
  readonly issuedAt: Date | undefined;
  readonly hint: string;
}

/** Writes an X509-SVID. */
export function encodeX509Svid(svid: IssuedX509Svid): X509SVID {
  return create(X509SVIDSchema, {
    certChain: [...svid.certificateChainDer],
    id: encodeSpiffeId(svid.id),
    expiresAt: encodeUnixSeconds(svid.expiresAt),
    hint: svid.hint,
  });
}

/** Writes a JWT-SVID. */
export function encodeJwtSvid(svid: IssuedToken): JWTSVID {
  return create(JWTSVIDSchema, tokenFields(svid));
}

/** Writes a WIT-SVID. */
export function encodeWitSvid(svid: IssuedToken): WITSVID {
  return create(WITSVIDSchema, tokenFields(svid));
}

function tokenFields(svid: IssuedToken) {
  return {
    token: svid.token,
    id: encodeSpiffeId(svid.id),
    expiresAt: encodeUnixSeconds(svid.expiresAt),
    issuedAt: encodeUnixSeconds(svid.issuedAt),
    hint: svid.hint,
  };
}
