import type { Bundle, BundleSource, JwtAuthority } from "../bundle/bundle.ts";
import { SpiffeError } from "../error.ts";
import type { TrustDomain } from "../id/spiffe-id.ts";
import { isSignedWith, type Jws } from "../jwt/jws.ts";
import { isKeyForAlgorithm } from "../jwt/jws-algorithm.ts";

// A token without key ID makes us try keys; that ends here however many a bundle holds.
const MAX_KEYS_TRIED = 16;

/**
 * Checks that a token was signed by an authority of a trust domain. A key ID names the authority exactly; a token without
 * one is tried with every authority whose key fits its algorithm.
 *
 * @param authoritiesOf which of a bundle's authorities sign this kind of token
 * @throws {SpiffeError} "bundle_not_found" | "jws_key_id" | "jws_signature"
 */
export async function checkTokenSignature(
  jws: Jws,
  trustDomain: TrustDomain,
  bundles: BundleSource,
  authoritiesOf: (bundle: Bundle) => ReadonlyMap<string, JwtAuthority>,
): Promise<void> {
  const bundle = bundles.bundleFor(trustDomain);
  if (bundle === undefined) {
    throw new SpiffeError("bundle_not_found", `trust domain ${trustDomain} is not known`);
  }
  for (const { publicKey } of candidates(jws, authoritiesOf(bundle))) {
    if (await isSignedWith(jws, publicKey)) return;
  }
  throw new SpiffeError("jws_signature", `token was not signed by trust domain ${trustDomain}`);
}

function candidates(
  { keyId, algorithm }: Jws,
  authorities: ReadonlyMap<string, JwtAuthority>,
): readonly JwtAuthority[] {
  if (keyId === undefined || keyId === "") {
    return [...authorities.values()]
      .filter(({ publicKey }) => isKeyForAlgorithm(publicKey, algorithm))
      .slice(0, MAX_KEYS_TRIED);
  }
  const authority = authorities.get(keyId);
  if (authority === undefined) {
    throw new SpiffeError("jws_key_id", "token was signed with a key that is not in the bundle");
  }
  return [authority];
}
