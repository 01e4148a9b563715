import { createPublicKey } from "node:crypto";
import { Bundle, type JwtAuthority } from "../../spiffe/bundle/bundle.ts";
import { TrustDomain } from "../../spiffe/id/spiffe-id.ts";
import { Certificate } from "../../spiffe/x509/certificate.ts";
import type { BundleRecord, KeyAuthorityRecord } from "../store/records.ts";

/** The bundle that a record stands for. */
export function bundleOf(record: BundleRecord): Bundle {
  const { sequence, refreshHintSeconds } = record;
  return new Bundle(TrustDomain.parse(record.trustDomain), {
    x509Authorities: record.x509Authorities.map((one) => Certificate.parse(one.certificateDer)),
    jwtAuthorities: record.jwtAuthorities.map(keyAuthorityOf),
    witAuthorities: record.witAuthorities.map(keyAuthorityOf),
    sequence,
    refreshHintSeconds: refreshHintSeconds === 0 ? undefined : refreshHintSeconds,
  });
}

function keyAuthorityOf(record: KeyAuthorityRecord): JwtAuthority {
  const { keyId, publicKeyDer, expiresAt, tainted } = record;
  const key = Buffer.from(publicKeyDer);
  return {
    keyId,
    publicKey: createPublicKey({ key, format: "der", type: "spki" }),
    tainted,
    ...(expiresAt === 0 ? {} : { expiresAt: new Date(expiresAt * 1000) }),
  };
}
