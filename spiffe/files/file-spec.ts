import type { TrustDomain } from "../id/spiffe-id.ts";

/** What a PEM file may hold, in the order in which it is listed. */
export const PEM_PARTS = [
  /** The leaf certificate and the intermediates. */
  "chain",
  "leaf",
  "intermediates",
  /** The private key, PKCS#8. */
  "key",
  /** CA certificates of one's own trust domain, or of the one that the file names. */
  "bundle",
  /** CA certificates of all other trust domains. */
  "federated",
] as const;

/** One of {@link PEM_PARTS}. */
export type PemPart = (typeof PEM_PARTS)[number];

/** What a PKCS#12 file may hold. */
export const PKCS12_PARTS = ["identity", "bundle", "federated"] as const;

/** One of {@link PKCS12_PARTS}: `identity` is the key with its chain. */
export type Pkcs12Part = (typeof PKCS12_PARTS)[number];

/** What every file has. */
interface FileBase {
  /** Name in the folder; no path. */
  readonly name: string;
  /** Permission bits. */
  readonly mode: number;
  /** Owner; that of the process unless given. */
  readonly uid?: number | undefined;
  readonly gid?: number | undefined;
}

/** A file of CA certificates may be that of a foreign trust domain. */
interface OfTrustDomain {
  /** Whose bundle; that of the identity unless given. */
  readonly trustDomain?: TrustDomain | undefined;
}

export interface PemFile extends FileBase, OfTrustDomain {
  readonly type: "pem";
  readonly holds: readonly PemPart[];
  /** Whether CA certificates that have ended are left out. */
  readonly omitExpired?: boolean;
}

export interface Pkcs12File extends FileBase, OfTrustDomain {
  readonly type: "pkcs12";
  readonly holds: readonly Pkcs12Part[];
  /** Name of the identity inside. */
  readonly alias: string;
  readonly password: string;
}

/** A JWT-SVID, and nothing else: no line end. */
export interface JwtFile extends FileBase {
  readonly type: "jwt";
  readonly audience: readonly [string, ...string[]];
}

/**
 * Keys as JSON: `jwks` are the JWT authorities of one trust domain, `bundle-document` its SPIFFE bundle, and
 * `jwks-by-trust-domain` an object with the JWK Set of each trust domain in base64, as spiffe-helper writes it.
 */
export interface KeysFile extends FileBase, OfTrustDomain {
  readonly type: "jwks" | "bundle-document" | "jwks-by-trust-domain";
}

/** A file that is kept current. */
export type FileSpec = PemFile | Pkcs12File | JwtFile | KeysFile;

/** Whether the file holds something that only its owner may read: a private key or a token. */
export function isSecret(
  file: Pick<FileSpec, "type"> & { readonly holds?: readonly string[] },
): boolean {
  if (file.type === "jwt") return true;
  return file.holds?.some((part) => part === "key" || part === "identity") ?? false;
}

/** Whether JWT authorities are needed for it. */
export function needsJwtBundles({ type }: FileSpec): boolean {
  return type === "jwks" || type === "bundle-document" || type === "jwks-by-trust-domain";
}
