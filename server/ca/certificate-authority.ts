import { invalidArgument, unimplemented } from "../../runtime/errors/status-error.ts";
import { SpiffeError } from "../../spiffe/error.ts";
import { isJwsAlgorithm, isKeyForAlgorithm } from "../../spiffe/jwt/jws-algorithm.ts";
import { importPublicKey, parsePublicKeyAlgorithm } from "../../spiffe/x509/public-key.ts";
import { judgeSubjectKey, type KnownBadKeys } from "../policy/key-policy.ts";
import type { TokenAuthority } from "./authority.ts";
import type {
  DownstreamCaOrder,
  IssuanceCall,
  IssuedCa,
  IssuedToken,
  Issuer,
  JwtSvidOrder,
  WitSvidOrder,
  X509SvidOrder,
  X509SvidResult,
} from "./issuance.ts";
import type { IssuerDeps } from "./issuer-deps.ts";
import { noAuthority } from "./no-authority.ts";
import { signDownstreamCa } from "./sign-downstream-ca.ts";
import { signToken, type TokenOrder } from "./sign-token.ts";
import { signX509Svids } from "./sign-x509-svids.ts";
import { jwtSvidPayload, TokenSigner, witSvidPayload } from "./token-profile.ts";

// The one place where credentials are signed. It decides nothing about who gets what: that is policy/. It must never sign anything whose
// intent is not durable in the audit, nor any bytes but those that were checked. Whoever controls it is the trust domain.

/** Signs credentials with the authorities that are active at the moment of each call. */
export class CertificateAuthority implements Issuer {
  readonly #deps: IssuerDeps;
  readonly #signers = new WeakMap<TokenAuthority, TokenSigner>();

  constructor(deps: IssuerDeps) {
    this.#deps = deps;
  }

  signX509Svids(
    call: IssuanceCall,
    orders: readonly X509SvidOrder[],
  ): Promise<readonly X509SvidResult[]> {
    return signX509Svids(this.#deps, call, orders);
  }

  async signJwtSvid(call: IssuanceCall, order: JwtSvidOrder): Promise<IssuedToken> {
    const { active, tokenIssuer } = this.#deps;
    const issuer = tokenIssuer === undefined ? {} : { issuer: tokenIssuer };
    const spiffeId = order.spiffeId.toString();
    const token: TokenOrder = {
      ...order,
      kind: "jwt",
      payload: (life, jti, audiences) =>
        jwtSvidPayload({ ...life, spiffeId, audiences, jti, ...issuer }),
    };
    return signToken(this.#deps, call, token, ({ jwtAlgorithm }) => {
      const { jwt, jwtByAlgorithm } = active.value;
      const authority = jwtAlgorithm === undefined ? jwt : jwtByAlgorithm.get(jwtAlgorithm);
      return authority && this.#signerOf(authority, "JWT");
    });
  }

  async signWitSvid(call: IssuanceCall, order: WitSvidOrder): Promise<IssuedToken> {
    const { active, policy } = this.#deps;
    if (policy().disabled.has(order.profile)) {
      throw unimplemented("WIT-SVIDs are off: experimental.witSvid", { reason: "disabled" });
    }
    const authority = active.value.wit;
    if (authority === undefined) throw noAuthority("WIT");
    const publicKey = checkBoundKey(order, this.#deps.knownBadKeys);
    const spiffeId = order.spiffeId.toString();
    const { signingAlgorithm } = order;
    const token: TokenOrder = {
      ...order,
      kind: "wit",
      spkiDer: order.publicKeySpki,
      payload: (life, jti) =>
        witSvidPayload({ ...life, spiffeId, jti, publicKey, signingAlgorithm }),
    };
    return signToken(this.#deps, call, token, () => this.#signerOf(authority, "wit+jwt"));
  }

  signDownstreamCa(call: IssuanceCall, order: DownstreamCaOrder): Promise<IssuedCa> {
    return signDownstreamCa(this.#deps, call, order);
  }

  #signerOf(authority: TokenAuthority, type: "JWT" | "wit+jwt"): TokenSigner {
    let signer = this.#signers.get(authority);
    if (signer === undefined) {
      signer = new TokenSigner(authority, type);
      this.#signers.set(authority, signer);
    }
    return signer;
  }
}

function checkBoundKey({ publicKeySpki, signingAlgorithm }: WitSvidOrder, knownBad: KnownBadKeys) {
  try {
    const objection = judgeSubjectKey(
      publicKeySpki,
      parsePublicKeyAlgorithm(publicKeySpki),
      knownBad,
    );
    if (objection !== undefined)
      throw invalidArgument(`public key: ${objection}`, { reason: "key" });
    const publicKey = importPublicKey(publicKeySpki);
    if (!isJwsAlgorithm(signingAlgorithm) || !isKeyForAlgorithm(publicKey, signingAlgorithm)) {
      throw invalidArgument("signing algorithm does not fit the public key", { reason: "key" });
    }
    return publicKey;
  } catch (err) {
    if (err instanceof SpiffeError) {
      throw invalidArgument(`public key: ${err.message}`, { reason: "key", cause: err });
    }
    throw err;
  }
}
