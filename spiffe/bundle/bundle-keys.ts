import { SpiffeError } from "../error.ts";
import type { Finding, FindingCode } from "../finding.ts";
import { decodeBase64 } from "../json/base64.ts";
import {
  isJsonArray,
  isJsonObject,
  type JsonArray,
  type JsonObject,
  type JsonValue,
} from "../json/strict-json.ts";
import { hasPrivateMembers, parsePublicJwk } from "../jwt/jwk.ts";
import { Certificate } from "../x509/certificate.ts";
import type { JwtAuthority } from "./bundle.ts";
import { selectX509Authorities } from "./x509-authorities.ts";

/** The values of `use` that SPIFFE defines (Trust Domain and Bundle 4.2.2, WIT-SVID 6.1). */
export type KeyUse = "x509-svid" | "jwt-svid" | "wit-svid";

/** The authorities of a JWK Set by their use. */
export interface BundleKeys {
  readonly x509Authorities: readonly Certificate[];
  readonly jwtAuthorities: readonly JwtAuthority[];
  readonly witAuthorities: readonly JwtAuthority[];
  readonly findings: readonly Finding[];
}

/**
 * Sorts the elements of a JWK Set by use. An element that we cannot use (unknown key type or use, a missing or invalid
 * member) is dropped with a finding and the rest is kept (Trust Domain and Bundle 4.1.3, 4.2; RFC 7517 5).
 *
 * @param useOf the use of an element; undefined for one that is to be dropped
 * @throws {SpiffeError} "bundle_malformed" when two different keys have one key ID: which of them a token means could
 *   then depend on the reader
 */
export function readBundleKeys(
  keys: JsonArray,
  useOf: (jwk: JsonObject) => KeyUse | undefined,
): BundleKeys {
  const certificates: Certificate[] = [];
  const authorities = { "jwt-svid": new AuthorityList(), "wit-svid": new AuthorityList() };
  const findings: Finding[] = [];
  for (const [index, jwk] of keys.entries()) {
    const report = (code: FindingCode, reason: string): void => {
      findings.push({ code, message: `key ${index}: ${reason}` });
    };
    try {
      if (!isJsonObject(jwk)) throw unusable("it is not an object");
      const use = useOf(jwk);
      if (use === undefined) throw unusable("it has no use that is known here");
      if (hasPrivateMembers(jwk)) report("private_key_published", "it holds a private key");
      if (use === "x509-svid") {
        if ("kid" in jwk) report("key_id_not_expected", "an X.509 authority has no key ID");
        certificates.push(readX509Authority(jwk));
      } else if (!authorities[use].add(readJwtAuthority(jwk))) {
        report("duplicate_dropped", "it is a duplicate");
      }
    } catch (err) {
      if (!(err instanceof SpiffeError) || err.code === "bundle_malformed") throw err;
      report("element_dropped", err.message);
    }
  }
  const x509 = selectX509Authorities(certificates);
  const jwtAuthorities = authorities["jwt-svid"].values;
  const witAuthorities = authorities["wit-svid"].values;
  const jwtKeyIds = new Set(jwtAuthorities.map(({ keyId }) => keyId));
  if (witAuthorities.some(({ keyId }) => jwtKeyIds.has(keyId))) {
    const message = "a JWT and a WIT authority share a key ID";
    findings.push({ code: "key_id_shared", message });
  }
  findings.push(...x509.findings);
  return { x509Authorities: x509.authorities, jwtAuthorities, witAuthorities, findings };
}

/** The use that an element declares, as it stands there and case-sensitively; undefined for any other. */
export function declaredUse(jwk: JsonObject): KeyUse | undefined {
  const use: JsonValue | undefined = jwk["use"];
  return use === "x509-svid" || use === "jwt-svid" || use === "wit-svid" ? use : undefined;
}

class AuthorityList {
  readonly #byKeyId = new Map<string, JwtAuthority>();

  get values(): readonly JwtAuthority[] {
    return [...this.#byKeyId.values()];
  }

  /** False when the same key is there already. */
  add(authority: JwtAuthority): boolean {
    const known = this.#byKeyId.get(authority.keyId);
    if (known === undefined) {
      this.#byKeyId.set(authority.keyId, authority);
      return true;
    }
    if (!known.publicKey.equals(authority.publicKey)) {
      throw new SpiffeError("bundle_malformed", "bundle: two different keys have one key ID");
    }
    return false;
  }
}

// X509-SVID 6.2: only the first value of x5c counts. RFC 7517 4.7: it holds the key of the JWK.
function readX509Authority(jwk: JsonObject): Certificate {
  const chain = jwk["x5c"];
  const first = isJsonArray(chain) ? chain[0] : undefined;
  if (typeof first !== "string") throw unusable('"x5c" must hold a certificate');
  const certificate = Certificate.parse(decodeBase64(first));
  if (!parsePublicJwk(jwk).equals(certificate.publicKey)) {
    throw unusable("the certificate is for another key");
  }
  return certificate;
}

function readJwtAuthority(jwk: JsonObject): JwtAuthority {
  const keyId = jwk["kid"];
  if (typeof keyId !== "string" || keyId === "") throw unusable('"kid" must be a text');
  const publicKey = parsePublicJwk(jwk);
  if (publicKey.asymmetricKeyType === "ed25519") {
    throw unusable("no algorithm that is allowed uses such a key");
  }
  return { keyId, publicKey };
}

function unusable(reason: string): SpiffeError {
  return new SpiffeError("jwk_malformed", reason);
}
