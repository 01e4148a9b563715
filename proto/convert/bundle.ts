import type { MessageInitShape } from "@bufbuild/protobuf";
import { Bundle, type JwtAuthority } from "../../spiffe/bundle/bundle.ts";
import { Certificate } from "../../spiffe/x509/certificate.ts";
import { importPublicKey } from "../../spiffe/x509/public-key.ts";
import type { BundleSchema, Bundle as WireBundle } from "../gen/spire/api/types/bundle_pb.ts";
import {
  checkCount,
  decodeText,
  decodeUnixSeconds,
  encodeUnixSeconds,
  parseField,
} from "./field.ts";
import { decodeTrustDomain } from "./id.ts";

/** The most authorities of one kind that a bundle may hold. */
export const MAX_AUTHORITIES = 1024;

const MAX_KEY_ID_BYTES = 1024;

/** What the messages for JWT and WIT keys have in common. */
interface KeyFields {
  readonly publicKey: Uint8Array;
  readonly keyId: string;
  readonly expiresAt: bigint;
  readonly tainted: boolean;
}

/**
 * Writes a bundle.
 *
 * @param isTainted tells which X.509 authorities must no longer be relied upon for what is to come
 */
export function encodeBundle(
  bundle: Bundle,
  isTainted: (authority: Certificate) => boolean = () => false,
): MessageInitShape<typeof BundleSchema> {
  return {
    trustDomain: bundle.trustDomain.name,
    x509Authorities: bundle.x509Authorities.map((authority) => ({
      asn1: authority.der,
      tainted: isTainted(authority),
    })),
    jwtAuthorities: [...bundle.jwtAuthorities.values()].map(encodeKey),
    witAuthorities: [...bundle.witAuthorities.values()].map(encodeKey),
    refreshHint: BigInt(bundle.refreshHintSeconds ?? 0),
    sequenceNumber: bundle.sequence ?? 0n,
  };
}

/** @throws {StatusError} INVALID_ARGUMENT when a field is missing or not valid */
export function decodeBundle(field: string, message: WireBundle): Bundle {
  const { x509Authorities, jwtAuthorities, witAuthorities, refreshHint } = message;
  checkCount(`${field}.x509_authorities`, x509Authorities, MAX_AUTHORITIES);
  return new Bundle(decodeTrustDomain(`${field}.trust_domain`, message.trustDomain), {
    x509Authorities: x509Authorities.map(({ asn1 }, index) =>
      parseField(`${field}.x509_authorities[${index}].asn1`, () => Certificate.parse(asn1)),
    ),
    jwtAuthorities: decodeKeys(`${field}.jwt_authorities`, jwtAuthorities),
    witAuthorities: decodeKeys(`${field}.wit_authorities`, witAuthorities),
    sequence: message.sequenceNumber,
    ...(refreshHint > 0n && { refreshHintSeconds: Number(refreshHint) }),
  });
}

function encodeKey(authority: JwtAuthority): KeyFields {
  return {
    publicKey: authority.publicKey.export({ format: "der", type: "spki" }),
    keyId: authority.keyId,
    expiresAt: encodeUnixSeconds(authority.expiresAt),
    tainted: authority.tainted ?? false,
  };
}

function decodeKeys(field: string, keys: readonly KeyFields[]): readonly JwtAuthority[] {
  checkCount(field, keys, MAX_AUTHORITIES);
  return keys.map(({ publicKey, keyId, expiresAt, tainted }, index) => {
    const path = `${field}[${index}]`;
    const until = decodeUnixSeconds(`${path}.expires_at`, expiresAt);
    return {
      keyId: decodeText(`${path}.key_id`, keyId, { maxBytes: MAX_KEY_ID_BYTES }),
      publicKey: parseField(`${path}.public_key`, () => importPublicKey(publicKey)),
      tainted,
      ...(until && { expiresAt: until }),
    };
  });
}
