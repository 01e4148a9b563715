/**
 * The program file that a process runs: its path, where that path means something, and its digest.
 */
import { createHash } from "node:crypto";
import { readlinkSync } from "node:fs";
import { type FileHandle, open, readlink, stat } from "node:fs/promises";
import { type FileIdentities, openFileIdentities } from "../../runtime/peer/file-identity.ts";

const OTHER_ROOT = "the caller's root is not the host's";

let opened: FileIdentities | undefined;

function sharedIdentities(): FileIdentities {
  opened ??= openFileIdentities();
  return opened;
}

/**
 * The path of the executable on the host, or why it cannot be told.
 *
 * The link in /proc shows a name in the caller's own mount namespace, which the caller may have
 * arranged. It counts only when the caller's root is the host's root and the name, looked up in the
 * host's root, is the very file that the process runs.
 *
 * @param hostRoot a path to the root of the host, "/" unless the agent runs in a container
 */
export async function executablePath(
  procDir: string,
  hostRoot: string,
  files: FileIdentities = sharedIdentities(),
): Promise<{ path: string } | { unknown: string }> {
  return pathAtHand(procDir, hostRoot, files) ?? (await pathAskedFor(procDir, hostRoot));
}

/** The same where it can be told without waiting for anything, as it nearly always can; undefined otherwise. */
function pathAtHand(
  procDir: string,
  hostRoot: string,
  files: FileIdentities,
): { path: string } | { unknown: string } | undefined {
  const [callerRoot, root] = [files.ofLink(`${procDir}/root`), files.ofName(hostRoot)];
  if (callerRoot === undefined || root === undefined) return undefined;
  if (callerRoot !== root) return { unknown: OTHER_ROOT };
  let path: string;
  try {
    path = readlinkSync(`${procDir}/exe`);
  } catch {
    return undefined;
  }
  const running = files.ofLink(`${procDir}/exe`);
  if (running === undefined || running !== files.ofName(under(hostRoot, path))) return undefined;
  return { path };
}

async function pathAskedFor(
  procDir: string,
  hostRoot: string,
): Promise<{ path: string } | { unknown: string }> {
  const path = await readlink(`${procDir}/exe`);
  const [callerRoot, root] = await Promise.all([stat(`${procDir}/root`), stat(hostRoot)]);
  if (!isSameFile(callerRoot, root)) return { unknown: OTHER_ROOT };
  const running = await stat(`${procDir}/exe`);
  const named = await stat(under(hostRoot, path)).catch(() => undefined);
  if (!named || !isSameFile(running, named)) {
    return { unknown: "the executable was replaced or removed since the process started" };
  }
  return { path };
}

/**
 * SHA-256 of the executable in hexadecimal, read through /proc/PID/exe so that it is the file that
 * runs whatever its name says. Digests are remembered by the file's identity and times.
 */
export class ExecutableDigests {
  readonly #maxBytes: number;
  readonly #digests = new Map<string, string>();

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** @throws {Error} when the file is larger than the limit */
  async of(procDir: string, signal: AbortSignal): Promise<string> {
    await using file = await open(`${procDir}/exe`, "r");
    const { dev, ino, size, mtimeNs, ctimeNs } = await file.stat({ bigint: true });
    if (size > this.#maxBytes) {
      throw new Error(`executable of ${size} bytes is over the limit of ${this.#maxBytes}`);
    }
    const identity = `${dev}:${ino}:${size}:${mtimeNs}:${ctimeNs}`;
    const known = this.#digests.get(identity);
    if (known) return known;
    const digest = await sha256(file, signal);
    if (this.#digests.size >= 1024) this.#digests.clear();
    this.#digests.set(identity, digest);
    return digest;
  }
}

async function sha256(file: FileHandle, signal: AbortSignal): Promise<string> {
  const hash = createHash("sha256");
  for await (const chunk of file.createReadStream({ autoClose: false, signal })) hash.update(chunk);
  return hash.digest("hex");
}

function under(hostRoot: string, path: string): string {
  return hostRoot === "/" ? path : hostRoot + path;
}

function isSameFile(a: { dev: number; ino: number }, b: { dev: number; ino: number }): boolean {
  return a.dev === b.dev && a.ino === b.ino;
}
