import { open, readdir, readFile, readlink, stat } from "node:fs/promises";
import { basename } from "node:path";

const MAX_PID_FILE_BYTES = 4096;
/** The kernel keeps so many characters of a name. */
const COMM_CHARACTERS = 15;

/** Nobody is there to be told: not an error for a program that has not been started yet. */
export class NoProcess extends Error {
  override readonly name = "NoProcess";
}

/**
 * The process that a PID file names in its first line.
 *
 * @throws {NoProcess} when there is no file, or no such process
 * @throws {Error} when the file holds something else, or its owner is neither root nor the user of that process: whoever can write
 *   such a file could otherwise have us signal any process
 */
export async function processInFile(path: string): Promise<number> {
  await using file = await open(path, "r").catch((cause: unknown) => {
    if (isMissing(cause)) throw new NoProcess(`there is no file ${path}`);
    throw new Error("opening a PID file", { cause });
  });
  const { uid, size } = await file.stat();
  if (size > MAX_PID_FILE_BYTES) throw new Error(`${path} is too large for a PID file`);
  const [, digits] = /^\s*(\d{1,10})\s*(?:\n|$)/.exec(await file.readFile("utf8")) ?? [];
  const pid = Number(digits);
  if (digits === undefined || pid <= 1) throw new Error(`${path} holds no process ID`);
  if (process.platform !== "linux") return pid;
  const owner = await stat(`/proc/${pid}`).catch(() => undefined);
  if (owner === undefined) throw new NoProcess(`there is no process ${pid}, which ${path} names`);
  if (uid !== 0 && uid !== owner.uid) {
    throw new Error(
      `${path} belongs to uid ${uid}, who may not name a process of uid ${owner.uid}`,
    );
  }
  return pid;
}

/**
 * The main processes of a program: those of that name whose parent has another one.
 *
 * @throws {NoProcess} when there is none
 */
export async function processesNamed(name: string): Promise<readonly number[]> {
  const found = new Map<number, number>();
  for (const entry of await readdir("/proc")) {
    const pid = Number(entry);
    if (!Number.isSafeInteger(pid) || pid <= 1 || pid === process.pid) continue;
    const parent = await parentIfNamed(pid, name);
    if (parent !== undefined) found.set(pid, parent);
  }
  const main = [...found].filter(([, parent]) => !found.has(parent)).map(([pid]) => pid);
  if (main.length === 0) throw new NoProcess(`there is no process ${name}`);
  return main;
}

async function parentIfNamed(pid: number, name: string): Promise<number | undefined> {
  try {
    const text = await readFile(`/proc/${pid}/stat`, "utf8");
    // The name stands in parentheses and may hold some itself.
    const end = text.lastIndexOf(")");
    const comm = text.slice(text.indexOf("(") + 1, end);
    const [, parent] = text.slice(end + 2).split(" ");
    const isNamed = comm === name.slice(0, COMM_CHARACTERS) || (await executable(pid)) === name;
    return isNamed ? Number(parent) : undefined;
  } catch (err) {
    if (isMissing(err)) return undefined;
    throw err;
  }
}

/** Name of the program's file; undefined where it is not for us to know. */
async function executable(pid: number): Promise<string | undefined> {
  try {
    return basename(await readlink(`/proc/${pid}/exe`)).replace(/ \(deleted\)$/, "");
  } catch {
    return undefined;
  }
}

function isMissing(err: unknown): boolean {
  // ESRCH: the process ended while its file was read.
  return err instanceof Error && "code" in err && (err.code === "ENOENT" || err.code === "ESRCH");
}
