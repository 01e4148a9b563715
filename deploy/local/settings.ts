import { writeFile } from "node:fs/promises";
import { stringify } from "yaml";
import type { Layout } from "./layout.ts";

/** Settings as they stand in a configuration file. */
export type Settings = Readonly<Record<string, unknown>>;

/** What differs from one local installation to the next. */
export interface LocalSettings {
  readonly trustDomain: string;
  /** The server's TCP port on the loopback interface. */
  readonly port: number;
}

/** A server with the embedded store and keys on disk, for this machine only. */
export function serverSettings(layout: Layout, { trustDomain, port }: LocalSettings): Settings {
  return {
    trustDomain,
    dataDir: layout.serverData,
    listen: { address: "127.0.0.1", port },
    adminSocket: { path: layout.adminSocket, mode: "0600" },
    nodeAttestors: { join_token: {}, x509pop: { caBundle: layout.nodeCa } },
    observability: { enabled: false },
    log: { format: "text" },
  };
}

/** An agent of that server, that proves itself with the machine's certificate. */
export function agentSettings(layout: Layout, { trustDomain, port }: LocalSettings): Settings {
  return {
    trustDomain,
    servers: [`127.0.0.1:${port}`],
    trustBundle: { path: layout.trustBundle },
    nodeAttestor: { x509pop: { certificate: layout.nodeCertificate, key: layout.nodeKey } },
    // A toy may keep its keys on disk; a node keeps them in memory.
    state: { path: layout.agentState, insecureDisk: true },
    workloadSocket: { path: layout.workloadSocket },
    adminSocket: { path: layout.agentAdminSocket },
    observability: { enabled: false },
    log: { format: "text" },
  };
}

/** Writes settings as YAML, with a line that says who wrote them. */
export async function writeSettings(path: string, settings: Settings): Promise<void> {
  const text = stringify(settings);
  await writeFile(path, `# Written at every start; changes here are lost.\n${text}`, {
    mode: 0o600,
  });
}
