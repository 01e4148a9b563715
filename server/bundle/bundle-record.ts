import type { Bundle, JwtAuthority } from "../../spiffe/bundle/bundle.ts";
import type { BundleRecord, KeyAuthorityRecord } from "../store/records.ts";

/** The record of a checked bundle. */
export function bundleRecordOf(bundle: Bundle): BundleRecord {
  return {
    trustDomain: bundle.trustDomain.name,
    x509Authorities: bundle.x509Authorities.map(({ der }) => ({
      certificateDer: der,
      tainted: false,
    })),
    jwtAuthorities: [...bundle.jwtAuthorities.values()].map(keyRecordOf),
    witAuthorities: [...bundle.witAuthorities.values()].map(keyRecordOf),
    refreshHintSeconds: bundle.refreshHintSeconds ?? 0,
    sequence: bundle.sequence ?? 0n,
  };
}

function keyRecordOf({ keyId, publicKey, expiresAt, tainted }: JwtAuthority): KeyAuthorityRecord {
  return {
    keyId,
    publicKeyDer: publicKey.export({ format: "der", type: "spki" }),
    expiresAt: expiresAt === undefined ? 0 : Math.floor(expiresAt.getTime() / 1000),
    tainted: tainted ?? false,
  };
}
