import { checkKeyId, type KeyHandle, type KeyManager } from "./key-manager.ts";
import type { KeyType } from "./key-type.ts";
import { generatePrivateKey, LocalKey } from "./local-key.ts";

/**
 * Keeps keys for as long as the process lives. After a restart the trust domain gets new authorities beside the old ones, which
 * stay in the bundle until they expire; so this is for tests and short-lived servers.
 */
export class MemoryKeyManager implements KeyManager {
  readonly #keys = new Map<string, LocalKey>();

  async generate(id: string, type: KeyType): Promise<KeyHandle> {
    checkKeyId(id);
    const key = new LocalKey(id, await generatePrivateKey(type));
    if (this.#keys.has(id)) throw new Error(`key ${id} exists already`);
    this.#keys.set(id, key);
    return key;
  }

  find(id: string): KeyHandle | undefined {
    return this.#keys.get(id);
  }

  list(): readonly KeyHandle[] {
    return [...this.#keys.values()];
  }

  async remove(id: string): Promise<void> {
    this.#keys.delete(id);
  }
}
