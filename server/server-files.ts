import { mkdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { isMissing } from "../runtime/files/is-missing.ts";
import { replaceFile } from "../runtime/files/replace-file.ts";
import type { Random } from "../runtime/random.ts";
import { randomUuid } from "../runtime/uuid.ts";
import type { ServerConfig } from "./config/server-config.ts";

/** Where a server keeps what must survive a restart. */
export interface ServerFiles {
  readonly store: string;
  readonly keys: string;
  readonly audit: string;
  readonly agentAudit: string;
}

/** The layout of the data folder. */
export function serverFiles({ dataDir, keyManager, audit }: ServerConfig): ServerFiles {
  const auditFolder = audit.directory ?? join(dataDir, "audit");
  const keys = keyManager.type === "disk" ? keyManager.directory : undefined;
  return {
    store: join(dataDir, "store.sqlite"),
    keys: keys ?? join(dataDir, "keys"),
    audit: auditFolder,
    agentAudit: join(auditFolder, "agents"),
  };
}

/** Makes the data folder if there is none, for this user only. */
export async function makeDataFolder({ dataDir }: ServerConfig): Promise<void> {
  await mkdir(dataDir, { recursive: true, mode: 0o700 });
}

const ID = /^[0-9a-f-]{36}$/;

/** This server's name among the servers of its trust domain: made at the first start, and kept in the data folder. */
export async function readServerId(dataDir: string, random: Random): Promise<string> {
  const path = join(dataDir, "server-id");
  try {
    const id = (await readFile(path, "utf8")).trim();
    if (!ID.test(id)) throw new Error(`${path} does not hold a server ID; remove it for a new one`);
    return id;
  } catch (err) {
    if (!isMissing(err)) throw err;
  }
  const id = randomUuid(random);
  await replaceFile(path, `${id}\n`, { mode: 0o600 });
  return id;
}
