/** Kinds of key that a key manager makes. The kind settles the signature algorithm, so nobody has to choose one. */
export const KEY_TYPES = ["ec-p256", "ec-p384", "rsa-2048", "rsa-4096"] as const;

/** One of {@link KEY_TYPES}. */
export type KeyType = (typeof KEY_TYPES)[number];

/** The JOSE names (RFC 7518 3.1) of the algorithms that keys sign with. */
export const JWS_ALGORITHMS = ["ES256", "ES384", "RS256"] as const;

/** One of {@link JWS_ALGORITHMS}. */
export type JwsAlgorithm = (typeof JWS_ALGORITHMS)[number];

/** The hash that belongs to a kind of key. */
export type HashName = "sha256" | "sha384";

/** How a key of one kind signs. */
export interface SigningScheme {
  readonly hash: HashName;
  readonly jws: JwsAlgorithm;
  /** OID of the same algorithm in certificates: ECDSA, or RSASSA-PKCS1-v1_5 (RFC 5758 3.2, RFC 4055 5). */
  readonly x509Oid: string;
}

const SCHEMES: Readonly<Record<KeyType, SigningScheme>> = {
  "ec-p256": { hash: "sha256", jws: "ES256", x509Oid: "1.2.840.10045.4.3.2" },
  "ec-p384": { hash: "sha384", jws: "ES384", x509Oid: "1.2.840.10045.4.3.3" },
  "rsa-2048": { hash: "sha256", jws: "RS256", x509Oid: "1.2.840.113549.1.1.11" },
  "rsa-4096": { hash: "sha256", jws: "RS256", x509Oid: "1.2.840.113549.1.1.11" },
};

/** How keys of this kind sign. */
export function schemeOf(type: KeyType): SigningScheme {
  return SCHEMES[type];
}
