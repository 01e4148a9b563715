import type { KeyHandle, KeyManager } from "../../server/keymanager/key-manager.ts";
import type { KeyType } from "../../server/keymanager/key-type.ts";
import { MemoryKeyManager } from "../../server/keymanager/memory-key-manager.ts";

/** A key manager whose keys cannot be lent and answer later, as those of a token or a cloud do. */
export class RemoteKeyManager implements KeyManager {
  /** How many signatures were made. */
  signatures = 0;
  /** From now on signatures are wrong. */
  spoil = false;
  readonly #keys = new MemoryKeyManager();

  async generate(id: string, type: KeyType): Promise<KeyHandle> {
    return this.#wrap(await this.#keys.generate(id, type));
  }

  find(id: string): KeyHandle | undefined {
    const key = this.#keys.find(id);
    return key === undefined ? undefined : this.#wrap(key);
  }

  list(): readonly KeyHandle[] {
    return this.#keys.list().map((key) => this.#wrap(key));
  }

  remove(id: string): Promise<void> {
    return this.#keys.remove(id);
  }

  #wrap(key: KeyHandle): KeyHandle {
    const { id, type, publicKey } = key;
    return {
      id,
      type,
      publicKey,
      sign: async (data, encoding) => {
        await new Promise((resolve) => setImmediate(resolve));
        this.signatures += 1;
        return key.sign(this.spoil ? Buffer.from("something else") : data, encoding);
      },
    };
  }
}
