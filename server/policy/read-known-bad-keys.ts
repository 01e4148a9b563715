import { open } from "node:fs/promises";
import type { KnownBadKeys } from "./key-policy.ts";

/** Room for about a million keys. */
const MAX_FILE_BYTES = 80 * 1024 * 1024;
const KEY = /^[0-9a-fA-F]{64}$/;

/**
 * Reads a list of keys that are known to be bad: one SHA-256 of a SubjectPublicKeyInfo, in hexadecimal, a line. Lines that are empty or
 * begin with "#" say nothing.
 *
 * @throws {Error} naming the line that is none of these: half a list is no list
 */
export async function readKnownBadKeys(path: string): Promise<KnownBadKeys> {
  const keys = new Set<string>();
  await using file = await open(path);
  const { size } = await file.stat();
  if (size > MAX_FILE_BYTES) throw new Error(`${path}: larger than ${MAX_FILE_BYTES} bytes`);
  let number = 0;
  for await (const line of file.readLines({ autoClose: false })) {
    number += 1;
    const text = line.trim();
    if (text === "" || text.startsWith("#")) continue;
    if (!KEY.test(text)) {
      throw new Error(`${path}:${number}: expected a SHA-256 in hexadecimal`);
    }
    keys.add(text.toLowerCase());
  }
  return keys;
}
