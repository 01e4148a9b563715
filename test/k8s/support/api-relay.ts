// The way from processes of this machine to the API server of a control plane, with the rights of a service account.

import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";
import type { ControlPlane } from "../cluster/control-plane.ts";

/** The namespace of the accounts. */
const NAMESPACE = "/api/v1/namespaces/assay-system";

/** The API server listens on a machine of its own; this is how a server on ours comes to it. */
export class ApiRelay implements AsyncDisposable {
  readonly #server: Server;
  readonly #sockets: Set<Socket>;

  private constructor(server: Server, sockets: Set<Socket>) {
    this.#server = server;
    this.#sockets = sockets;
  }

  /** @param socketPath where the control plane's own relay listens */
  static async open(socketPath: string): Promise<ApiRelay> {
    const sockets = new Set<Socket>();
    const server = createServer((near) => {
      const far = connect(socketPath);
      sockets.add(near);
      near.pipe(far).pipe(near);
      near.on("error", () => far.destroy());
      far.on("error", () => near.destroy());
      near.on("close", () => {
        sockets.delete(near);
        far.destroy();
      });
      far.on("close", () => near.destroy());
    });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    return new ApiRelay(server, sockets);
  }

  /** A kubeconfig for a service account of the namespace assay-system. */
  async kubeconfig(plane: ControlPlane, account: string): Promise<string> {
    const authority = Buffer.from(plane.authority.certificate).toString("base64");
    const server = `https://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
    return JSON.stringify({
      "current-context": "east",
      contexts: [{ name: "east", context: { cluster: "east", user: "server" } }],
      clusters: [{ name: "east", cluster: { server, "certificate-authority-data": authority } }],
      users: [{ name: "server", user: { token: await tokenFor(plane, account, {}) } }],
    });
  }

  /** The administrator's kubeconfig, as it works from this machine. */
  async adminKubeconfig(plane: ControlPlane): Promise<string> {
    const inside = await readFile(plane.kubeconfigPath, "utf8");
    const { port } = this.#server.address() as AddressInfo;
    return inside.replace("https://127.0.0.1:6443", `https://127.0.0.1:${port}`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
  }
}

/** A token of a service account of the namespace assay-system. @param spec the spec of a TokenRequest */
export async function tokenFor(
  { client }: ControlPlane,
  account: string,
  spec: object,
): Promise<string> {
  const path = `${NAMESPACE}/serviceaccounts/${account}/token`;
  const request = { apiVersion: "authentication.k8s.io/v1", kind: "TokenRequest", spec };
  const { status } = await client.create<{ status: { token: string } }>(path, request);
  return status.token;
}
