import type { KeyObject } from "node:crypto";
import type { KeyType } from "./key-type.ts";

// A key manager holds the private keys by which the server is trusted. What it must never do is give one away: nothing
// outside this folder sees private bytes. Whoever can read them can be anybody in the trust domain.

/**
 * Where private keys live: memory and disk here, a PKCS#11 token or a cloud KMS behind the same interface.
 * Implementations may be called concurrently.
 */
export interface KeyManager {
  /**
   * Makes a key and keeps it under `id`, durably where the manager is durable. An existing key of that ID is an error,
   * never replaced: an ID names one key for ever.
   *
   * @param id lower-case letters, digits and "-", at most 100; see {@link checkKeyId}
   */
  generate(id: string, type: KeyType): Promise<KeyHandle>;
  find(id: string): KeyHandle | undefined;
  /** Every key, in no particular order. */
  list(): readonly KeyHandle[];
  /** Forgets a key. Does nothing if there is none. */
  remove(id: string): Promise<void>;
}

/** ECDSA signatures as X.509 wants them (a DER sequence) or as JWS wants them (r and s side by side). RSA has one form. */
export type SignatureEncoding = "der" | "p1363";

/** The use of one private key, without the key. */
export interface KeyHandle {
  readonly id: string;
  readonly type: KeyType;
  readonly publicKey: KeyObject;
  /** Signs with the scheme of the key's type. A remote key answers with a promise. */
  sign(data: Uint8Array, encoding: SignatureEncoding): Promise<Uint8Array> | Uint8Array;
  /**
   * Present where the key lives in this process: passes the key to one of our own worker threads, so that it can sign there.
   * The key object crosses the thread boundary by reference to the same OpenSSL key; it is not exported.
   */
  readonly lend?: (worker: KeyReceiver) => void;
}

/** The message that carries a lent key. */
export interface LentKey {
  readonly kind: "key";
  readonly id: string;
  readonly type: KeyType;
  readonly privateKey: KeyObject;
}

/** The sending half of a worker thread. */
export interface KeyReceiver {
  postMessage(message: LentKey): void;
}

/**
 * Refuses an ID that could not name a file or a remote object everywhere.
 *
 * @throws {TypeError}
 */
export function checkKeyId(id: string): void {
  if (!/^[a-z0-9][a-z0-9-]{0,99}$/.test(id)) {
    throw new TypeError(`key id ${JSON.stringify(id.slice(0, 120))}: expected a-z, 0-9 and "-"`);
  }
}
