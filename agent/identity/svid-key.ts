import { generateKeyPair, generateKeyPairSync, type KeyObject } from "node:crypto";
import { promisify } from "node:util";
import { ecPublicHalf } from "../../spiffe/x509/ec-public-half.ts";

const generate = promisify(generateKeyPair);

/** Key types of SVIDs, as the configuration names them. */
export type SvidKeyType = "ec-p256" | "ec-p384" | "rsa-2048";

export interface KeyPair {
  readonly publicKey: KeyObject;
  readonly privateKey: KeyObject;
}

/** A key pair as bytes. */
export interface KeyBytes {
  /** PKCS#8, ASN.1 DER. */
  readonly pkcs8Der: Uint8Array;
  /** SubjectPublicKeyInfo, ASN.1 DER. */
  readonly spkiDer: Uint8Array;
}

/** Makes one key pair, on a thread of the pool where it takes long, so that the event loop goes on. */
export async function generateSvidKey(type: SvidKeyType): Promise<KeyPair> {
  switch (type) {
    case "ec-p256":
      // 30 microseconds; the way to another thread and back takes longer than that.
      return generateKeyPairSync("ec", { namedCurve: "P-256" });
    case "ec-p384":
      return generate("ec", { namedCurve: "P-384" });
    case "rsa-2048":
      return generate("rsa", { modulusLength: 2048 });
  }
}

/** The pair as the state file, workloads and certificates have it. */
export function exportKeyPair({ privateKey, publicKey }: KeyPair): KeyBytes {
  const pkcs8Der = new Uint8Array(privateKey.export({ type: "pkcs8", format: "der" }));
  const spkiDer = privateKey.asymmetricKeyType === "ec" ? ecPublicHalf(pkcs8Der) : undefined;
  return { pkcs8Der, spkiDer: spkiDer ?? publicKey.export({ type: "spki", format: "der" }) };
}
