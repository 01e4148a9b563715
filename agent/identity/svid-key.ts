import { generateKeyPair, type KeyObject } from "node:crypto";
import { promisify } from "node:util";

const generate = promisify(generateKeyPair);

/** Key types of SVIDs, as the configuration names them. */
export type SvidKeyType = "ec-p256" | "ec-p384" | "rsa-2048";

export interface KeyPair {
  readonly publicKey: KeyObject;
  readonly privateKey: KeyObject;
}

/** Makes one key pair on a thread of the pool, so that the event loop goes on. */
export function generateSvidKey(type: SvidKeyType): Promise<KeyPair> {
  switch (type) {
    case "ec-p256":
      return generate("ec", { namedCurve: "P-256" });
    case "ec-p384":
      return generate("ec", { namedCurve: "P-384" });
    case "rsa-2048":
      return generate("rsa", { modulusLength: 2048 });
  }
}
