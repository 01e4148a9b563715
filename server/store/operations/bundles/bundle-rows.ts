import type { Selectable } from "kysely";
import type { BundleRecord, KeyAuthorityRecord } from "../../records.ts";
import type { BundlesTable } from "../../schema.ts";

/** A row of the bundles table. */
export type BundleRow = Selectable<BundlesTable>;

/** The authorities of a bundle as they are kept: bytes as base64. */
interface StoredAuthorities {
  readonly x509: readonly StoredCertificate[];
  readonly jwt: readonly StoredKey[];
  readonly wit: readonly StoredKey[];
}

interface StoredCertificate {
  readonly certificate: string;
  readonly tainted: boolean;
}

interface StoredKey {
  readonly keyId: string;
  readonly publicKey: string;
  readonly expiresAt: number;
  readonly tainted: boolean;
}

/** Makes the row of a bundle. Equal bundles have equal rows. */
export function bundleToRow(bundle: BundleRecord): BundleRow {
  const authorities: StoredAuthorities = {
    x509: bundle.x509Authorities.map(({ certificateDer, tainted }) => ({
      certificate: Buffer.from(certificateDer).toString("base64"),
      tainted,
    })),
    jwt: bundle.jwtAuthorities.map(storedKey),
    wit: bundle.witAuthorities.map(storedKey),
  };
  return {
    trust_domain: bundle.trustDomain,
    sequence: bundle.sequence.toString(),
    refresh_hint: bundle.refreshHintSeconds,
    authorities: JSON.stringify(authorities),
  };
}

/** Reads a row. */
export function bundleFromRow(row: BundleRow): BundleRecord {
  const { x509, jwt, wit }: StoredAuthorities = JSON.parse(row.authorities);
  return {
    trustDomain: row.trust_domain,
    x509Authorities: x509.map(({ certificate, tainted }) => ({
      certificateDer: bytes(certificate),
      tainted,
    })),
    jwtAuthorities: jwt.map(keyAuthority),
    witAuthorities: wit.map(keyAuthority),
    refreshHintSeconds: row.refresh_hint,
    sequence: BigInt(row.sequence),
  };
}

function storedKey({ keyId, publicKeyDer, expiresAt, tainted }: KeyAuthorityRecord): StoredKey {
  return { keyId, publicKey: Buffer.from(publicKeyDer).toString("base64"), expiresAt, tainted };
}

function keyAuthority({ keyId, publicKey, expiresAt, tainted }: StoredKey): KeyAuthorityRecord {
  return { keyId, publicKeyDer: bytes(publicKey), expiresAt, tainted };
}

function bytes(base64: string): Uint8Array {
  return Uint8Array.from(Buffer.from(base64, "base64"));
}
