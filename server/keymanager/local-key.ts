import { createPublicKey, generateKeyPair, type KeyObject, sign } from "node:crypto";
import { promisify } from "node:util";
import type { KeyHandle, KeyReceiver, SignatureEncoding } from "./key-manager.ts";
import { type KeyType, schemeOf } from "./key-type.ts";

const generate = promisify(generateKeyPair);
const signAside = promisify(sign);

/** A private key that lives in this process. It has no way to be exported. */
export class LocalKey implements KeyHandle {
  readonly id: string;
  readonly type: KeyType;
  readonly publicKey: KeyObject;
  readonly #privateKey: KeyObject;

  /** @throws {Error} for a kind of key that is not one of ours */
  constructor(id: string, privateKey: KeyObject) {
    this.id = id;
    this.type = keyTypeOf(privateKey);
    this.publicKey = createPublicKey(privateKey);
    this.#privateKey = privateKey;
  }

  /** An RSA signature takes a hundred times as long as an ECDSA one, so it is made beside the event loop. */
  sign(data: Uint8Array, encoding: SignatureEncoding): Promise<Uint8Array> | Uint8Array {
    return this.type.startsWith("rsa")
      ? signAside(schemeOf(this.type).hash, data, this.#privateKey)
      : signLocally(this.#privateKey, this.type, data, encoding);
  }

  lend(worker: KeyReceiver): void {
    worker.postMessage({
      kind: "key",
      id: this.id,
      type: this.type,
      privateKey: this.#privateKey,
    });
  }
}

/** Signs with a key of this process, in whichever thread. */
export function signLocally(
  privateKey: KeyObject,
  type: KeyType,
  data: Uint8Array,
  encoding: SignatureEncoding,
): Uint8Array {
  const dsaEncoding = encoding === "der" ? "der" : "ieee-p1363";
  return sign(schemeOf(type).hash, data, { key: privateKey, dsaEncoding });
}

/** Makes a private key, off the event loop: an RSA key takes seconds. */
export async function generatePrivateKey(type: KeyType): Promise<KeyObject> {
  switch (type) {
    case "ec-p256":
      return (await generate("ec", { namedCurve: "P-256" })).privateKey;
    case "ec-p384":
      return (await generate("ec", { namedCurve: "P-384" })).privateKey;
    case "rsa-2048":
      return (await generate("rsa", { modulusLength: 2048 })).privateKey;
    case "rsa-4096":
      return (await generate("rsa", { modulusLength: 4096 })).privateKey;
  }
}

function keyTypeOf(privateKey: KeyObject): KeyType {
  const { namedCurve, modulusLength } = privateKey.asymmetricKeyDetails ?? {};
  const kind = privateKey.asymmetricKeyType;
  if (kind === "ec" && namedCurve === "prime256v1") return "ec-p256";
  if (kind === "ec" && namedCurve === "secp384r1") return "ec-p384";
  if (kind === "rsa" && modulusLength === 2048) return "rsa-2048";
  if (kind === "rsa" && modulusLength === 4096) return "rsa-4096";
  throw new Error("the key is not of a type that this server uses");
}
