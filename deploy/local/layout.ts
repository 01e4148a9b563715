import { createHash } from "node:crypto";
import { mkdir } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** Where everything of one local installation lies. */
export interface Layout {
  /** The folder whose contents make tomorrow's start the same installation. */
  readonly home: string;
  readonly serverConfig: string;
  readonly serverData: string;
  readonly serverLog: string;
  readonly adminSocket: string;
  readonly agentConfig: string;
  readonly agentState: string;
  readonly agentLog: string;
  readonly agentAdminSocket: string;
  readonly workloadSocket: string;
  /** The node's certificate and key, and the CA that the server accepts nodes of. */
  readonly nodeCertificate: string;
  readonly nodeKey: string;
  readonly nodeCa: string;
  /** What the agent trusts before it has attested. */
  readonly trustBundle: string;
}

/** The longest path of a Unix socket on Linux is 107 bytes, on macOS 103. */
const longestSocketPath = 103;

/** The layout below a folder. */
export function layoutOf(home: string): Layout {
  const sockets = socketFolder(home);
  return {
    home,
    serverConfig: join(home, "server.yaml"),
    serverData: join(home, "server"),
    serverLog: join(home, "server.log"),
    adminSocket: join(sockets, "admin.sock"),
    agentConfig: join(home, "agent.yaml"),
    agentState: join(home, "agent.state"),
    agentLog: join(home, "agent.log"),
    agentAdminSocket: join(sockets, "agent-admin.sock"),
    workloadSocket: join(sockets, "workload.sock"),
    nodeCertificate: join(home, "node", "certificate.pem"),
    nodeKey: join(home, "node", "key.pem"),
    nodeCa: join(home, "node", "ca.pem"),
    trustBundle: join(home, "node", "bundle.pem"),
  };
}

/** Makes the folders of a layout that do not exist, for this user only. */
export async function makeFolders(layout: Layout): Promise<void> {
  await mkdir(join(layout.home, "node"), { recursive: true, mode: 0o700 });
  // Workloads of other users have to reach the socket.
  await mkdir(join(layout.workloadSocket, ".."), { recursive: true, mode: 0o755 });
}

/** In the home folder, unless that is too deep for a socket: then a folder of that home's own among the temporary ones. */
function socketFolder(home: string): string {
  const inside = join(home, "run");
  if (Buffer.byteLength(join(inside, "agent-admin.sock")) <= longestSocketPath) return inside;
  const name = createHash("sha256").update(home).digest("hex").slice(0, 16);
  return join(tmpdir(), `assay-${name}`);
}
