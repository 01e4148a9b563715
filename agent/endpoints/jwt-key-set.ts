import { createPublicKey } from "node:crypto";
import type { Bundle } from "../../proto/gen/spire/api/types/bundle_pb.ts";

const encoder = new TextEncoder();

/**
 * The JWT authorities of a bundle as a JSON Web Key Set (RFC 7517), and nothing else: keys of other
 * uses must not be in it (Workload API 6.2.2). As every key has the one use, `use` is left out, which
 * is what clients of the Workload API are used to.
 */
export function jwtKeySet(bundle: Bundle): Uint8Array {
  const keys = bundle.jwtAuthorities.map(({ publicKey, keyId }) => {
    const key = createPublicKey({ key: Buffer.from(publicKey), format: "der", type: "spki" });
    return { ...key.export({ format: "jwk" }), kid: keyId };
  });
  return encoder.encode(JSON.stringify({ keys }));
}
