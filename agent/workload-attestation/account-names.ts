/**
 * Names of users and groups. Reads /etc/passwd and /etc/group, and asks `getent` for IDs that only a
 * directory service knows. Names are looked up in the agent's own root: they are the host's names.
 */
import { execFile } from "node:child_process";
import { statSync } from "node:fs";
import { readFile } from "node:fs/promises";
import type { Clock } from "../../runtime/time/clock.ts";

export interface AccountNames {
  /** @returns undefined when nobody has that ID */
  user(uid: number, signal: AbortSignal): Promise<string | undefined>;
  group(gid: number, signal: AbortSignal): Promise<string | undefined>;
}

const rememberMs = 30_000;
const maxRemembered = 4096;

/** The accounts of this machine; where the host's root is elsewhere, only those of its files. */
export class SystemAccountNames implements AccountNames {
  readonly #passwd: AccountDatabase;
  readonly #group: AccountDatabase;

  constructor(clock: Clock, hostRoot = "/") {
    const etc = hostRoot === "/" ? "/etc" : `${hostRoot}/etc`;
    // A directory service of this container would answer with the container's accounts.
    const lookup = hostRoot === "/" ? getent : async () => "";
    this.#passwd = new AccountDatabase("passwd", `${etc}/passwd`, lookup, clock);
    this.#group = new AccountDatabase("group", `${etc}/group`, lookup, clock);
  }

  user(uid: number, signal: AbortSignal): Promise<string | undefined> {
    return this.#passwd.nameOf(uid, signal);
  }

  group(gid: number, signal: AbortSignal): Promise<string | undefined> {
    return this.#group.nameOf(gid, signal);
  }
}

/** One colon-separated database: name in the first field, ID in the third (passwd(5), group(5)). */
class AccountDatabase {
  readonly #database: "passwd" | "group";
  readonly #path: string;
  readonly #lookup: typeof getent;
  readonly #clock: Clock;
  #fileVersion = "";
  #fromFile: ReadonlyMap<number, string> = new Map();
  readonly #fromService = new Map<number, { name: string | undefined; untilMs: number }>();

  constructor(database: "passwd" | "group", path: string, lookup: typeof getent, clock: Clock) {
    this.#database = database;
    this.#path = path;
    this.#lookup = lookup;
    this.#clock = clock;
  }

  async nameOf(id: number, signal: AbortSignal): Promise<string | undefined> {
    await this.#refresh();
    return this.#fromFile.get(id) ?? (await this.#askService(id, signal));
  }

  async #refresh(): Promise<void> {
    // Each first answer of a workload asks this: the way through the thread pool would cost it more than all that it asks.
    const { mtimeMs, ino, size } = statSync(this.#path);
    const version = `${mtimeMs}:${ino}:${size}`;
    if (version === this.#fileVersion) return;
    this.#fromFile = parseAccounts(await readFile(this.#path, "utf8"));
    this.#fileVersion = version;
  }

  async #askService(id: number, signal: AbortSignal): Promise<string | undefined> {
    const now = this.#clock.monotonicMs();
    const known = this.#fromService.get(id);
    if (known && known.untilMs > now) return known.name;
    const name = parseAccounts(await this.#lookup(this.#database, id, signal)).get(id);
    if (this.#fromService.size >= maxRemembered) this.#fromService.clear();
    this.#fromService.set(id, { name, untilMs: now + rememberMs });
    return name;
  }
}

/** Parses the text of a passwd or group file; the first name of an ID counts, as in getpwuid(3). */
export function parseAccounts(text: string): Map<number, string> {
  const names = new Map<number, string>();
  for (const line of text.split("\n")) {
    const [name, , id] = line.split(":");
    if (name && id && /^\d+$/.test(id) && !names.has(Number(id))) names.set(Number(id), name);
  }
  return names;
}

function getent(database: string, id: number, signal: AbortSignal): Promise<string> {
  return new Promise((resolve, reject) => {
    execFile("getent", [database, String(id)], { signal, timeout: 2000 }, (err, stdout) => {
      // getent(1): 2 means that the key was not found; no getent means that there is no service.
      if (err && err.code !== 2 && err.code !== "ENOENT") reject(err);
      else resolve(stdout);
    });
  });
}
