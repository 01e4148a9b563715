/** Bundles between the store's records, the wire and the library's value. */
import { create } from "@bufbuild/protobuf";
import { type Bundle as WireBundle, BundleSchema } from "../../proto/gen/spire/api/types/bundle_pb.ts";
import type { Bundle, JwtAuthority } from "../../spiffe/bundle/bundle.ts";
import type { BundleRecord, KeyAuthorityRecord } from "../store/records.ts";

/** Writes a stored bundle as the message that every client knows. */
export function encodeBundleRecord(record: BundleRecord): WireBundle {
  const key = (authority: KeyAuthorityRecord) => ({
    publicKey: authority.publicKeyDer,
    keyId: authority.keyId,
    expiresAt: BigInt(authority.expiresAt),
    tainted: authority.tainted,
  });
  return create(BundleSchema, {
    trustDomain: record.trustDomain,
    x509Authorities: record.x509Authorities.map(({ certificateDer, tainted }) => ({
      asn1: certificateDer,
      tainted,
    })),
    jwtAuthorities: record.jwtAuthorities.map(key),
    witAuthorities: record.witAuthorities.map(key),
    refreshHint: BigInt(record.refreshHintSeconds),
    sequenceNumber: record.sequence,
  });
}

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
