import { createHash, timingSafeEqual } from "node:crypto";
import { constants } from "node:fs";
import { type FileHandle, mkdir, open, statfs } from "node:fs/promises";
import { dirname } from "node:path";
import { isMissing } from "../../runtime/files/is-missing.ts";
import { replaceFile } from "../../runtime/files/replace-file.ts";

/**
 * This folder keeps what lets an agent serve at once after a restart (D7): one file, replaced as a whole. The file holds
 * private keys in the clear, therefore it lies on a tmpfs unless the configuration says otherwise in so many words, belongs
 * to the agent's user, and can be read by nobody else. It must never be taken for the truth of another node, and damage is
 * never guessed around: a file that is not whole is not used.
 */

const MAGIC = Buffer.from("assay-agent-state 1\n", "latin1");
const DIGEST_BYTES = 32;
const HEAD_BYTES = MAGIC.length + DIGEST_BYTES;
/** Far beyond what 10,000 entries with their SVIDs take. */
const MAX_STATE_BYTES = 256 * 1024 * 1024;

/** File systems that live in memory: tmpfs and ramfs (statfs f_type). */
const MEMORY_FILE_SYSTEMS: ReadonlySet<number> = new Set([0x01021994, 0x858458f6]);

/** What was found where the state file is to be. */
export type StateFileContent =
  | { readonly kind: "absent" }
  | { readonly kind: "intact"; readonly body: Uint8Array }
  /** Truncated, changed, or of an unknown format. */
  | { readonly kind: "damaged"; readonly problem: string };

/**
 * Reads a state file.
 *
 * @throws {Error} when the file belongs to someone else, can be read by others, is no regular file, or cannot be read
 */
export async function readStateFile(path: string): Promise<StateFileContent> {
  const file = await openIfThere(path);
  if (file === undefined) return { kind: "absent" };
  try {
    const info = await file.stat();
    if (!info.isFile()) throw new Error(`state file ${path}: is not a regular file`);
    if (info.uid !== process.geteuid?.()) {
      throw new Error(`state file ${path}: belongs to uid ${info.uid}, not to the agent`);
    }
    if ((info.mode & 0o077) !== 0) {
      throw new Error(`state file ${path}: others may use it; its mode must be 0600`);
    }
    if (info.size > MAX_STATE_BYTES) return { kind: "damaged", problem: "it is too large" };
    return checkContent(await file.readFile());
  } finally {
    await file.close();
  }
}

/**
 * Replaces a state file as a whole and makes it durable. The folder is made if it is missing. One piece of the body is asked for
 * and written after the other, so that the event loop goes on in between and no more than one of them is in memory.
 */
export async function writeStateFile(path: string, body: Iterable<Uint8Array>): Promise<void> {
  await ensureFolder(path);
  await replaceFile(path, (file) => writePieces(file, body), { mode: 0o600 });
}

/** Whether the folder of a path lies in memory, so that it outlives the process but not the machine. Makes the folder. */
export async function isInMemory(path: string): Promise<boolean> {
  await ensureFolder(path);
  return MEMORY_FILE_SYSTEMS.has((await statfs(dirname(path))).type);
}

// Others may pass through, since the sockets may lie in the same folder; the files themselves are closed to them.
async function ensureFolder(path: string): Promise<void> {
  await mkdir(dirname(path), { recursive: true, mode: 0o755 });
}

async function writePieces(file: FileHandle, body: Iterable<Uint8Array>): Promise<void> {
  const digest = createHash("sha256");
  await file.writeFile(Buffer.alloc(HEAD_BYTES));
  for (const piece of body) {
    digest.update(piece);
    await file.writeFile(piece);
  }
  const head = Buffer.concat([MAGIC, digest.digest()]);
  const { bytesWritten } = await file.write(head, 0, HEAD_BYTES, 0);
  if (bytesWritten !== HEAD_BYTES) throw new Error("state file: its head was written in part");
}

async function openIfThere(path: string): Promise<FileHandle | undefined> {
  try {
    return await open(path, constants.O_RDONLY | constants.O_NOFOLLOW);
  } catch (err) {
    if (isMissing(err)) return undefined;
    throw new Error(`state file ${path}: cannot be opened`, { cause: err });
  }
}

function checkContent(content: Buffer): StateFileContent {
  if (!content.subarray(0, MAGIC.length).equals(MAGIC)) {
    return { kind: "damaged", problem: "its format is not known" };
  }
  if (content.length < HEAD_BYTES) return { kind: "damaged", problem: "it is cut off" };
  const body = content.subarray(HEAD_BYTES);
  if (!timingSafeEqual(content.subarray(MAGIC.length, HEAD_BYTES), digestOf(body))) {
    return { kind: "damaged", problem: "it is cut off or was changed: its digest does not fit" };
  }
  return { kind: "intact", body };
}

function digestOf(body: Uint8Array): Buffer {
  return createHash("sha256").update(body).digest();
}
