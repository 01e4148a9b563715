// A real PostgreSQL server in a folder of its own. It refuses to be root, so as root it runs as the user that Debian has for it.

import { spawnSync } from "node:child_process";
import { once } from "node:events";
import { appendFile, chown, mkdir, readFile, writeFile } from "node:fs/promises";
import { connect as connectPlain } from "node:net";
import { connect as connectTls } from "node:tls";
import { accountId } from "../../agent/files/accounts.ts";
import { eventually } from "./eventually.ts";
import { type FilesWorld, PATIENCE } from "./files-world.ts";
import { postgresFolder } from "./requires.ts";

const isRoot = process.getuid?.() === 0;

/** Name or number of the user that the server runs as. */
export const postgresUser: string = isRoot ? "postgres" : String(process.getuid?.());

/** The file that the server writes its process ID to. */
export function postgresPidFile(world: FilesWorld): string {
  return world.dir.join("data", "postmaster.pid");
}

/** Makes a database with one role, and starts its server with this configuration beside its own. */
export async function startPostgres(
  world: FilesWorld,
  o: {
    readonly port: number;
    readonly role: string;
    readonly settings: string;
    readonly hba: string;
    readonly ident: string;
  },
): Promise<void> {
  const data = world.dir.join("data");
  await mkdir(data, { mode: 0o700 });
  if (isRoot) await chown(data, await accountId("passwd", "postgres"), -1);
  run("initdb", "-D", data, "--no-sync", "--auth=trust", "--username=admin");
  const own = `
listen_addresses = '127.0.0.1'
port = ${o.port}
unix_socket_directories = ''
fsync = off
`;
  await appendFile(`${data}/postgresql.conf`, own);
  // As a single user, before anybody can connect.
  const made = spawnSync(...command("postgres", "--single", "-D", data, "postgres"), {
    input: `CREATE ROLE ${o.role} LOGIN;\n`,
  });
  if (made.status !== 0) throw new Error(`making a role: ${made.stderr}`);
  await appendFile(`${data}/postgresql.conf`, o.settings);
  await writeFile(`${data}/pg_hba.conf`, o.hba);
  await writeFile(`${data}/pg_ident.conf`, o.ident);
  const [file, args] = command("postgres", "-D", data);
  await world.start("postgres", file, args);
  await eventually(
    "PostgreSQL",
    async () => {
      const status = await readFile(postgresPidFile(world), "utf8");
      return /^ready\s*$/m.test(status) ? true : undefined;
    },
    PATIENCE,
  );
}

/** Serial number of the certificate that the server shows to a new connection. */
export async function postgresSerial(port: number): Promise<string> {
  const plain = connectPlain({ host: "127.0.0.1", port });
  try {
    await once(plain, "connect");
    // SSLRequest of PostgreSQL's protocol: length and code.
    plain.write(Buffer.from([0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f]));
    const [answer]: Buffer[] = await once(plain, "data");
    if (answer?.toString() !== "S") throw new Error("the server has no TLS");
    const tls = connectTls({ socket: plain, rejectUnauthorized: false });
    await once(tls, "secureConnect");
    return tls.getPeerCertificate().serialNumber.toLowerCase();
  } finally {
    plain.destroy();
  }
}

function run(program: string, ...args: readonly string[]): void {
  const { status, stderr } = spawnSync(...command(program, ...args), { encoding: "utf8" });
  if (status !== 0) throw new Error(`${program}: ${stderr}`);
}

function command(program: string, ...args: readonly string[]): [string, string[]] {
  const own = [`${postgresFolder}/${program}`, ...args];
  if (!isRoot) return [own[0] ?? "", own.slice(1)];
  return ["setpriv", ["--reuid=postgres", "--regid=postgres", "--init-groups", ...own]];
}
