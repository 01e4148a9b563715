import { createPrivateKey } from "node:crypto";
import { constants, type Stats } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import { checkKeyId } from "./key-manager.ts";
import { LocalKey } from "./local-key.ts";
import { checkPrivateMode } from "./private-directory.ts";

/** Ending of the names of key files. */
export const KEY_FILE_SUFFIX = ".pem";

/** A PKCS#8 file of an RSA-4096 key has 3.3 kB. */
const MAX_KEY_FILE_BYTES = 16 * 1024;

/**
 * Reads one private key.
 *
 * @throws {Error} saying the path, what is wrong and what to do; never anything of the content
 */
export async function readKeyFile(path: string, id: string): Promise<LocalKey> {
  checkKeyId(id);
  await using file = await openKeyFile(path);
  const stats = await file.stat();
  checkKeyFile(path, stats);
  const pem = await file.readFile();
  try {
    return new LocalKey(id, createPrivateKey({ key: pem, format: "pem" }));
  } catch {
    // Without the cause: parsers quote what they stumble over.
    throw new Error(
      `key file ${path} does not hold a private key of ours in PEM (PKCS#8): restore it from a backup, ` +
        "or move it away and the server makes itself a new authority",
    );
  }
}

async function openKeyFile(path: string): Promise<FileHandle> {
  try {
    return await open(path, constants.O_RDONLY | constants.O_NOFOLLOW);
  } catch (cause) {
    const isLink = cause instanceof Error && "code" in cause && cause.code === "ELOOP";
    throw new Error(
      isLink
        ? `key file ${path} is a symbolic link: put the file itself there`
        : `key file ${path} cannot be read`,
      { cause },
    );
  }
}

function checkKeyFile(path: string, stats: Stats): void {
  if (!stats.isFile()) throw new Error(`key file ${path} is not a regular file`);
  if (stats.size > MAX_KEY_FILE_BYTES) throw new Error(`key file ${path} is too large for a key`);
  checkPrivateMode(`key file ${path}`, path, stats, 0o600);
}
