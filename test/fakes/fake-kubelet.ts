import { createServer, type Server } from "node:https";
import type { AddressInfo } from "node:net";
import { formatPem } from "../../spiffe/x509/pem.ts";
import { type PodShape, podJson, podListJson } from "../support/pods.ts";
import { dnsName, ipAddress, subjectAltName, TestAuthority } from "../support/test-ca.ts";

/** How the kubelet behaves. */
export type KubeletMood = "usual" | "silent" | "garbage" | "endless" | "broken";

/**
 * A stand-in for a node's kubelet at its authenticated port: real TLS with a certificate for 127.0.0.1 and "node-1", bearer tokens,
 * and nothing but `GET /pods`.
 */
export class FakeKubelet implements AsyncDisposable {
  readonly port: number;
  /** PEM of the CA of its certificate. */
  readonly caPem: string;
  /** What it lists. */
  pods: PodShape[] = [];
  /** Tokens that it takes, with whether they may get pods. */
  readonly tokens: Map<string, boolean> = new Map([["token-1", true]]);
  mood: KubeletMood = "usual";
  /** Questions so far. */
  asked = 0;
  /** TLS connections so far. */
  connections = 0;
  /** Those of them that went on with an earlier session. */
  resumed = 0;
  readonly #server: Server;

  private constructor(server: Server, caPem: string) {
    this.#server = server;
    const address: AddressInfo | string | null = server.address();
    this.port = typeof address === "object" && address !== null ? address.port : 0;
    this.caPem = caPem;
  }

  /** @param names what its certificate is for */
  static async open(
    names: readonly Uint8Array[] = [ipAddress(127, 0, 0, 1), dnsName("node-1")],
  ): Promise<FakeKubelet> {
    // Real TLS judges by the real time.
    const notBefore = new Date("2020-01-01T00:00:00Z");
    const notAfter = new Date("2099-01-01T00:00:00Z");
    const ca = TestAuthority.root({ notBefore, notAfter, subjectAltName: undefined });
    const leaf = ca.leaf({ notBefore, notAfter, subjectAltName: subjectAltName(names, false) });
    const server = createServer({
      cert: formatPem("CERTIFICATE", leaf.der),
      key: leaf.privateKey.export({ type: "pkcs8", format: "pem" }),
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const kubelet = new FakeKubelet(server, formatPem("CERTIFICATE", ca.der));
    server.on("secureConnection", (socket) => {
      kubelet.connections += 1;
      if (socket.isSessionReused()) kubelet.resumed += 1;
    });
    server.on("request", (request, response) => {
      kubelet.asked += 1;
      const { status, body } = kubelet.#answer(request.url, request.headers.authorization);
      if (kubelet.mood === "silent") return;
      if (kubelet.mood === "endless" && status === 200) {
        const write = (): void => {
          if (!response.destroyed) response.write("x".repeat(65_536), () => setImmediate(write));
        };
        write();
        return;
      }
      response.writeHead(status).end(body);
    });
    return kubelet;
  }

  /** Ends the connections that there are. */
  disconnect(): void {
    this.#server.closeAllConnections();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }

  #answer(url: string | undefined, authorization = ""): { status: number; body: string } {
    const mayGet = this.tokens.get(authorization.replace(/^Bearer /, ""));
    if (mayGet === undefined) return { status: 401, body: "Unauthorized" };
    if (!mayGet) return { status: 403, body: "Forbidden (verb=get, resource=nodes, pods)" };
    if (url !== "/pods") return { status: 404, body: "404 page not found" };
    if (this.mood === "broken") return { status: 500, body: "no" };
    if (this.mood === "garbage") return { status: 200, body: "<html>not a kubelet</html>" };
    return { status: 200, body: podListJson(...this.pods.map(podJson)) };
  }
}
