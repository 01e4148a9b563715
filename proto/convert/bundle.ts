import { create } from "@bufbuild/protobuf";
import { Bundle, type JwtAuthority } from "../../spiffe/bundle/bundle.ts";
import { Certificate } from "../../spiffe/x509/certificate.ts";
import { importPublicKey } from "../../spiffe/x509/public-key.ts";
import {
  BundleSchema,
  type JWTKey,
  JWTKeySchema,
  type WITKey,
  WITKeySchema,
  type Bundle as WireBundle,
  type X509Certificate,
  X509CertificateSchema,
} from "../gen/spire/api/types/bundle_pb.ts";
import {
  checkCount,
  decodeText,
  decodeUnixSeconds,
  encodeUnixSeconds,
  fieldError,
  parseField,
} from "./field.ts";
import { decodeTrustDomain } from "./id.ts";

/** Most authorities of one kind in a bundle that a caller may send. */
export const MAX_AUTHORITIES = 1024;
const MAX_KEY_ID_BYTES = 255;
const MAX_REFRESH_HINT_SECONDS = 2n ** 31n - 1n;

/**
 * Reads a bundle. A sequence number or refresh hint of zero is none. Which X.509 authorities are tainted is not the standard's to
 * know; see {@link decodeX509Authorities}.
 *
 * @throws {StatusError} INVALID_ARGUMENT with the first field that breaks a rule
 */
export function decodeBundle(field: string, message: WireBundle): Bundle {
  const x509 = decodeX509Authorities(`${field}.x509_authorities`, message.x509Authorities);
  return new Bundle(decodeTrustDomain(`${field}.trust_domain`, message.trustDomain), {
    x509Authorities: x509.authorities,
    jwtAuthorities: decodeKeyAuthorities(`${field}.jwt_authorities`, message.jwtAuthorities),
    witAuthorities: decodeKeyAuthorities(`${field}.wit_authorities`, message.witAuthorities),
    sequence: message.sequenceNumber === 0n ? undefined : message.sequenceNumber,
    refreshHintSeconds: decodeRefreshHint(`${field}.refresh_hint`, message.refreshHint),
  });
}

/**
 * Writes a bundle.
 *
 * @param isTainted tells which X.509 authorities must no longer be relied upon for what is to come
 */
export function encodeBundle(
  bundle: Bundle,
  isTainted: (authority: Certificate) => boolean = () => false,
): WireBundle {
  return create(BundleSchema, {
    trustDomain: bundle.trustDomain.name,
    x509Authorities: bundle.x509Authorities.map((authority) =>
      create(X509CertificateSchema, { asn1: authority.der, tainted: isTainted(authority) }),
    ),
    jwtAuthorities: Array.from(bundle.jwtAuthorities.values(), encodeJwtAuthority),
    witAuthorities: Array.from(bundle.witAuthorities.values(), encodeWitAuthority),
    sequenceNumber: bundle.sequence ?? 0n,
    refreshHint: BigInt(bundle.refreshHintSeconds ?? 0),
  });
}

/** X.509 authorities, and those among them that are tainted. */
export interface X509AuthorityList {
  /** Each once, in the order of the message. */
  readonly authorities: readonly Certificate[];
  readonly tainted: readonly Certificate[];
}

/**
 * Reads X.509 authorities.
 *
 * @throws {StatusError} INVALID_ARGUMENT when one is not exactly one CA certificate
 */
export function decodeX509Authorities(
  field: string,
  messages: readonly X509Certificate[],
): X509AuthorityList {
  checkCount(field, messages, MAX_AUTHORITIES);
  const byDer = new Map<string, { certificate: Certificate; tainted: boolean }>();
  for (const [index, { asn1, tainted }] of messages.entries()) {
    const place = `${field}[${index}].asn1`;
    const certificate = parseField(place, () => Certificate.parse(asn1));
    if (!certificate.isCa) throw fieldError(place, "is not a CA certificate");
    const key = Buffer.from(asn1).toString("latin1");
    byDer.set(key, { certificate, tainted: tainted || byDer.get(key)?.tainted === true });
  }
  const all = [...byDer.values()];
  return {
    authorities: all.map(({ certificate }) => certificate),
    tainted: all.filter(({ tainted }) => tainted).map(({ certificate }) => certificate),
  };
}

/**
 * Reads JWT or WIT authorities, each once.
 *
 * @throws {StatusError} INVALID_ARGUMENT when one has no key ID, no key that can verify tokens, or the key ID of another
 */
export function decodeKeyAuthorities(
  field: string,
  messages: readonly (JWTKey | WITKey)[],
): readonly JwtAuthority[] {
  checkCount(field, messages, MAX_AUTHORITIES);
  const byKeyId = new Map<string, JwtAuthority>();
  for (const [index, message] of messages.entries()) {
    const place = `${field}[${index}]`;
    const authority = decodeKeyAuthority(place, message);
    const known = byKeyId.get(authority.keyId);
    if (known !== undefined && !known.publicKey.equals(authority.publicKey)) {
      throw fieldError(`${place}.key_id`, "belongs to another key of the list");
    }
    byKeyId.set(authority.keyId, authority);
  }
  return [...byKeyId.values()];
}

function encodeJwtAuthority(authority: JwtAuthority): JWTKey {
  return create(JWTKeySchema, keyFields(authority));
}

function encodeWitAuthority(authority: JwtAuthority): WITKey {
  return create(WITKeySchema, keyFields(authority));
}

function decodeRefreshHint(field: string, seconds: bigint): number | undefined {
  if (seconds < 0n || seconds > MAX_REFRESH_HINT_SECONDS) {
    throw fieldError(field, `must be between 0 and ${MAX_REFRESH_HINT_SECONDS}`);
  }
  return seconds === 0n ? undefined : Number(seconds);
}

function decodeKeyAuthority(field: string, message: JWTKey | WITKey): JwtAuthority {
  const keyId = decodeText(`${field}.key_id`, message.keyId, {
    maxBytes: MAX_KEY_ID_BYTES,
    required: true,
  });
  const publicKey = parseField(`${field}.public_key`, () => importPublicKey(message.publicKey));
  if (publicKey.asymmetricKeyType !== "ec" && publicKey.asymmetricKeyType !== "rsa") {
    throw fieldError(`${field}.public_key`, "is neither an EC nor an RSA key");
  }
  const expiresAt = decodeUnixSeconds(`${field}.expires_at`, message.expiresAt);
  return {
    keyId,
    publicKey,
    tainted: message.tainted,
    ...(expiresAt === undefined ? {} : { expiresAt }),
  };
}

function keyFields({ keyId, publicKey, expiresAt, tainted }: JwtAuthority) {
  return {
    publicKey: new Uint8Array(publicKey.export({ type: "spki", format: "der" })),
    keyId,
    expiresAt: encodeUnixSeconds(expiresAt),
    tainted: tainted ?? false,
  };
}
