import { createCsr } from "../../spiffe/x509/csr.ts";
import {
  exportKeyPair,
  generateSvidKey,
  type KeyBytes,
  type KeyPair,
  type SvidKeyType,
} from "./svid-key.ts";

/** A key pair with everything that can be made of it before anybody knows whose it will be. */
export interface PreparedKey {
  readonly pair: KeyPair;
  readonly bytes: KeyBytes;
  /** PKCS#10, DER, signed with the key. It names nobody: the server takes the key from it, and the names from the entry. */
  readonly csr: Uint8Array;
}

/** Makes one key pair and its certificate request. */
export async function prepareKey(type: SvidKeyType): Promise<PreparedKey> {
  const pair = await generateSvidKey(type);
  const bytes = exportKeyPair(pair);
  return { pair, bytes, csr: createCsr({ ...pair, spkiDer: bytes.spkiDer }) };
}
