import { generateKeyPairSync, sign } from "node:crypto";
import * as der from "./der-writer.ts";
import { distinguishedName } from "./distinguished-name.ts";
import { SignatureOid } from "./oids.ts";

/** A certificate that stands for nobody, with its key. */
export interface VoidIdentity {
  /** DER. */
  readonly certificateChainDer: Uint8Array;
  /** PKCS#8, DER. */
  readonly privateKeyPkcs8: Uint8Array;
}

const VERSION_3 = 2;
const begin = new Date("2000-01-01T00:00:00Z");
const end = new Date("2000-01-01T00:00:01Z");

/**
 * Makes a certificate that no verifier accepts: it signed itself, is over since long ago, and names nobody. It stands where there has
 * to be one and is none. As an authority it vouches for nothing, because nobody else has its key.
 *
 * @param why there is none, for people who look at it
 */
export function makeVoidIdentity(why: string): VoidIdentity {
  const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const algorithm = der.sequence(der.oid(SignatureOid.ecdsaWithSha256));
  const name = distinguishedName({ commonName: why });
  const tbs = der.sequence(
    der.context(0, der.integer(VERSION_3)),
    der.integer(1),
    algorithm,
    name,
    der.sequence(der.time(begin), der.time(end)),
    name,
    publicKey.export({ format: "der", type: "spki" }),
  );
  const signature = sign("sha256", tbs, privateKey);
  return {
    certificateChainDer: der.sequence(tbs, algorithm, der.bitString(signature)),
    privateKeyPkcs8: privateKey.export({ format: "der", type: "pkcs8" }),
  };
}
