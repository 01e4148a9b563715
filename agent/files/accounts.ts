import { execFile } from "node:child_process";
import { readFile } from "node:fs/promises";
import { promisify } from "node:util";

const run = promisify(execFile);

const LOOKUP_MS = 5_000;

/**
 * The number of a user or group that is given by name or number. Reads /etc/passwd or /etc/group, and asks `getent` for names
 * that only a directory service knows.
 *
 * @throws {Error} when there is no such name
 */
export async function accountId(database: "passwd" | "group", account: string): Promise<number> {
  if (/^\d{1,10}$/.test(account)) return Number(account);
  const id = idIn(await readOrEmpty(`/etc/${database}`), account);
  if (id !== undefined) return id;
  const found = idIn(await askService(database, account), account);
  if (found !== undefined) return found;
  throw new Error(`there is no ${database === "passwd" ? "user" : "group"} ${account}`);
}

/** Both databases have the name in the first field and the number in the third (passwd(5), group(5)). */
function idIn(text: string, account: string): number | undefined {
  for (const line of text.split("\n")) {
    const [name, , id = ""] = line.split(":");
    if (name === account && /^\d{1,10}$/.test(id)) return Number(id);
  }
  return undefined;
}

async function readOrEmpty(path: string): Promise<string> {
  try {
    return await readFile(path, "utf8");
  } catch {
    return "";
  }
}

async function askService(database: string, account: string): Promise<string> {
  try {
    const { stdout } = await run("getent", ["--", database, account], { timeout: LOOKUP_MS });
    return stdout;
  } catch {
    // Not installed, not known: both mean that nobody knows the name.
    return "";
  }
}
