import { mkdir, readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { replaceFile, syncDirectory, UNFINISHED_PREFIX } from "../../runtime/files/replace-file.ts";
import { KEY_FILE_SUFFIX, readKeyFile } from "./key-file.ts";
import { checkKeyId, type KeyHandle, type KeyManager } from "./key-manager.ts";
import type { KeyType } from "./key-type.ts";
import { generatePrivateKey, LocalKey } from "./local-key.ts";
import { checkPrivateDirectory } from "./private-directory.ts";

/**
 * Keeps each key in a file of its own, `<id>.pem`: PKCS#8, mode 0600, in a folder with mode 0700. A key is durable before
 * {@link DiskKeyManager.generate} resolves. Files are read once, at start; nobody else may write to the folder meanwhile.
 */
export class DiskKeyManager implements KeyManager {
  readonly #directory: string;
  readonly #keys: Map<string, LocalKey>;
  readonly #making = new Set<string>();

  private constructor(directory: string, keys: Map<string, LocalKey>) {
    this.#directory = directory;
    this.#keys = keys;
  }

  /**
   * Reads all keys; creates the folder if it is missing. Whatever is wrong with one file stops the start, because a server that
   * silently goes on without a key makes itself a new authority.
   *
   * @throws {Error} saying which path, what is wrong with it and what to do
   */
  static async open(directory: string): Promise<DiskKeyManager> {
    await mkdir(directory, { recursive: true, mode: 0o700 });
    await checkPrivateDirectory(directory);
    const keys = new Map<string, LocalKey>();
    for (const name of (await readdir(directory)).sort()) {
      if (name.startsWith(UNFINISHED_PREFIX)) {
        await rm(join(directory, name), { force: true });
      } else if (name.endsWith(KEY_FILE_SUFFIX)) {
        const id = name.slice(0, -KEY_FILE_SUFFIX.length);
        keys.set(id, await readKeyFile(join(directory, name), id));
      }
    }
    return new DiskKeyManager(directory, keys);
  }

  async generate(id: string, type: KeyType): Promise<KeyHandle> {
    checkKeyId(id);
    if (this.#keys.has(id) || this.#making.has(id)) throw new Error(`key ${id} exists already`);
    this.#making.add(id);
    try {
      const privateKey = await generatePrivateKey(type);
      const pem = privateKey.export({ type: "pkcs8", format: "pem" });
      await replaceFile(this.#path(id), pem, { mode: 0o600 });
      const key = new LocalKey(id, privateKey);
      this.#keys.set(id, key);
      return key;
    } finally {
      this.#making.delete(id);
    }
  }

  find(id: string): KeyHandle | undefined {
    return this.#keys.get(id);
  }

  list(): readonly KeyHandle[] {
    return [...this.#keys.values()];
  }

  async remove(id: string): Promise<void> {
    if (!this.#keys.delete(id)) return;
    await rm(this.#path(id), { force: true });
    await syncDirectory(this.#directory);
  }

  #path(id: string): string {
    return join(this.#directory, `${id}${KEY_FILE_SUFFIX}`);
  }
}
