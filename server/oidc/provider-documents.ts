import type { JwtAuthority } from "../../spiffe/bundle/bundle.ts";
import { formatPublicJwk, type PublicJwk } from "../../spiffe/jwt/jwk.ts";
import type { JwsAlgorithmSetting } from "../config/issuing-settings.ts";

/** A key of a JWK set, for verifiers that know nothing of SPIFFE. */
export type ProviderKey = PublicJwk & {
  readonly kid: string;
  readonly alg: JwsAlgorithmSetting;
  readonly use: "sig";
};

/**
 * The JWT authorities of a trust domain as verifiers outside of SPIFFE take them (RFC 7517): those of the algorithms given, and not
 * those that have ended. `use` is "sig" here, where a SPIFFE bundle says "jwt-svid", which others do not know.
 */
export function providerKeys(
  authorities: Iterable<JwtAuthority>,
  algorithms: readonly JwsAlgorithmSetting[],
  now: Date,
): readonly ProviderKey[] {
  return [...authorities].flatMap(({ keyId, publicKey, expiresAt }) => {
    if (expiresAt !== undefined && expiresAt.getTime() <= now.getTime()) return [];
    const jwk = formatPublicJwk(publicKey);
    const alg = algorithmOf(jwk);
    if (alg === undefined || !algorithms.includes(alg)) return [];
    return [{ ...jwk, kid: keyId, alg, use: "sig" }];
  });
}

/**
 * What an OIDC provider says of itself (OpenID Connect Discovery 3). Nobody logs in here, so there is nothing but tokens that others
 * made, and no endpoint beside the keys.
 */
export function discoveryDocument(issuer: string, keys: readonly ProviderKey[]): object {
  return {
    issuer,
    jwks_uri: `${issuer}/keys`,
    response_types_supported: ["id_token"],
    subject_types_supported: ["public"],
    id_token_signing_alg_values_supported: [...new Set(keys.map(({ alg }) => alg))].sort(),
    claims_supported: ["sub", "aud", "exp", "iat", "iss", "jti"],
  };
}

function algorithmOf(jwk: PublicJwk): JwsAlgorithmSetting | undefined {
  if (jwk.kty === "RSA") return "RS256";
  if (jwk.crv === "P-256") return "ES256";
  return jwk.crv === "P-384" ? "ES384" : undefined;
}
