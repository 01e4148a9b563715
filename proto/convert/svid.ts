import { create } from "@bufbuild/protobuf";
import type { SpiffeId } from "../../spiffe/id/spiffe-id.ts";
import { type JWTSVID, JWTSVIDSchema } from "../gen/spire/api/types/jwtsvid_pb.ts";
import { type WITSVID, WITSVIDSchema } from "../gen/spire/api/types/witsvid_pb.ts";
import { type X509SVID, X509SVIDSchema } from "../gen/spire/api/types/x509svid_pb.ts";
import {
  checkCount,
  decodeUnixSeconds,
  encodeUnixSeconds,
  fieldError,
  requireField,
} from "./field.ts";
import { decodeSpiffeId, encodeSpiffeId } from "./id.ts";

const MAX_CHAIN_LENGTH = 16;

/** An X509-SVID on its way from server to agent, without its key. Nothing in it has been verified. */
export interface IssuedX509Svid {
  readonly id: SpiffeId;
  /** DER, leaf first, never empty. */
  readonly certificateChainDer: readonly Uint8Array[];
  /** End of the leaf's validity, whole seconds. */
  readonly expiresAt: Date;
  readonly hint: string;
}

/** A JWT-SVID or WIT-SVID on its way from server to agent. Nothing in it has been verified. */
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

/** @throws {StatusError} INVALID_ARGUMENT when a field is missing or not valid */
export function decodeX509Svid(field: string, message: X509SVID | undefined): IssuedX509Svid {
  const { certChain, id, expiresAt, hint } = requireField(field, message);
  if (certChain.length === 0) throw fieldError(`${field}.cert_chain`, "must not be empty");
  checkCount(`${field}.cert_chain`, certChain, MAX_CHAIN_LENGTH);
  return {
    id: decodeSpiffeId(`${field}.id`, id),
    certificateChainDer: certChain,
    expiresAt: requireField(
      `${field}.expires_at`,
      decodeUnixSeconds(`${field}.expires_at`, expiresAt),
    ),
    hint,
  };
}

/** Writes a JWT-SVID. */
export function encodeJwtSvid(svid: IssuedToken): JWTSVID {
  return create(JWTSVIDSchema, tokenFields(svid));
}

/** Writes a WIT-SVID. */
export function encodeWitSvid(svid: IssuedToken): WITSVID {
  return create(WITSVIDSchema, tokenFields(svid));
}

/** @throws {StatusError} INVALID_ARGUMENT when a field is missing or not valid */
export function decodeIssuedToken(
  field: string,
  message: JWTSVID | WITSVID | undefined,
): IssuedToken {
  const { token, id, expiresAt, issuedAt, hint } = requireField(field, message);
  if (token === "") throw fieldError(`${field}.token`, "must not be empty");
  return {
    id: decodeSpiffeId(`${field}.id`, id),
    token,
    expiresAt: requireField(
      `${field}.expires_at`,
      decodeUnixSeconds(`${field}.expires_at`, expiresAt),
    ),
    issuedAt: decodeUnixSeconds(`${field}.issued_at`, issuedAt),
    hint,
  };
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
