import type { KeyObject } from "node:crypto";
import type { Random } from "../../runtime/random.ts";
import { formatPublicJwk, type PublicJwk } from "../../spiffe/jwt/jwk.ts";
import type { TokenAuthority } from "./authority.ts";

/** When a token was issued and when it ends, in whole seconds of Unix time. */
export interface TokenLife {
  readonly issuedAtSeconds: number;
  readonly expiresAtSeconds: number;
}

/** What a JWT-SVID says (JWT-SVID 3). */
export interface JwtSvidClaims extends TokenLife {
  readonly spiffeId: string;
  readonly audiences: readonly string[];
  readonly jti: string;
  /** For consumers that verify by OIDC discovery. */
  readonly issuer?: string;
}

/**
 * What a WIT-SVID says (WIT-SVID 3): no audience, but the key that its holder proves to have. No issuer either: those who verify
 * by OIDC discovery are to find nothing to begin with (WIT-SVID 3.7).
 */
export interface WitSvidClaims extends TokenLife {
  readonly spiffeId: string;
  readonly jti: string;
  readonly publicKey: KeyObject;
  /** JOSE algorithm of the holder's proofs. */
  readonly signingAlgorithm: string;
}

/** Draws the name of a token: 128 random bits, so no two are ever the same. */
export function drawTokenId(random: Random): string {
  return Buffer.from(random.bytes(16)).toString("base64url");
}

/** The payload of a JWT-SVID. The audience is a list, even of one. */
export function jwtSvidPayload(claims: JwtSvidClaims): object {
  const { spiffeId, audiences, issuedAtSeconds, expiresAtSeconds, jti, issuer } = claims;
  return {
    sub: spiffeId,
    aud: audiences,
    exp: expiresAtSeconds,
    iat: issuedAtSeconds,
    jti,
    ...(issuer === undefined ? {} : { iss: issuer }),
  };
}

/** The payload of a WIT-SVID. */
export function witSvidPayload(claims: WitSvidClaims): object {
  const { spiffeId, issuedAtSeconds, expiresAtSeconds, jti, publicKey } = claims;
  const jwk: PublicJwk & { readonly alg: string } = {
    ...formatPublicJwk(publicKey),
    alg: claims.signingAlgorithm,
  };
  return {
    sub: spiffeId,
    exp: expiresAtSeconds,
    iat: issuedAtSeconds,
    jti,
    cnf: { jwk },
  };
}

/** Signs tokens of one type by one authority. The header is encoded once: `alg`, `kid`, `typ` and nothing else (JWT-SVID 2). */
export class TokenSigner {
  readonly authority: TokenAuthority;
  readonly #header: string;

  constructor(authority: TokenAuthority, type: "JWT" | "wit+jwt") {
    const header = { alg: authority.algorithm, kid: authority.id, typ: type };
    this.authority = authority;
    this.#header = encode(header);
  }

  /** The compact serialisation (RFC 7515 7.1). */
  async sign(payload: object): Promise<string> {
    const input = `${this.#header}.${encode(payload)}`;
    const signature = await this.authority.key.sign(Buffer.from(input, "latin1"), "p1363");
    return `${input}.${Buffer.from(signature).toString("base64url")}`;
  }
}

function encode(value: object): string {
  return Buffer.from(JSON.stringify(value), "utf8").toString("base64url");
}
