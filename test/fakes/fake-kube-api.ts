import { once } from "node:events";
import type { IncomingMessage, ServerResponse } from "node:http";
import { createServer, type Server } from "node:https";
import { text } from "node:stream/consumers";
import { Certificate } from "../../spiffe/x509/certificate.ts";
import { formatPem } from "../../spiffe/x509/pem.ts";
import { dnsName, subjectAltName, TestAuthority } from "../support/test-ca.ts";

/** An object as the API has it, as far as the fake looks at it. */
export interface FakeObject {
  readonly metadata: {
    readonly name: string;
    readonly namespace?: string;
    readonly uid?: string;
    readonly labels?: Readonly<Record<string, string>>;
  };
  readonly [field: string]: unknown;
}

interface Logged {
  readonly version: number;
  readonly plural: string;
  readonly type: "ADDED" | "MODIFIED" | "DELETED";
  readonly object: object;
}

type Served = { readonly request: IncomingMessage; readonly response: ServerResponse };

const DAY_MS = 86_400_000;

/**
 * An API server in this process, over real TLS: objects that a test puts and removes, lists in pages, watches that go on from a
 * version or end in 410, reviews of tokens that the test knows. It checks its caller's token and nothing else.
 */
export class FakeKubeApi implements AsyncDisposable {
  readonly #server: Server;
  readonly #authority: TestAuthority;
  readonly #objects = new Map<string, FakeObject>();
  readonly #watches = new Map<ServerResponse, string>();
  #log: Logged[] = [];
  #version = 100;
  #floor = 100;
  /** What the caller's bearer token has to be. */
  readonly token: string = "server-token";
  /** "GET /api/v1/pods" of each request so far, without queries. */
  readonly requests: string[] = [];
  /** Status of the review of each token that is known. */
  readonly tokens: Map<string, object> = new Map();
  /** While set, no request is answered. */
  isHanging: boolean = false;
  /** While set, each request is answered with this. */
  failure: { readonly status: number; readonly body: string } | undefined;

  private constructor(authority: TestAuthority) {
    this.#authority = authority;
    const now = new Date();
    const leaf = authority.leaf({
      subjectAltName: subjectAltName([dnsName("localhost")], false),
      notBefore: new Date(now.getTime() - DAY_MS),
      notAfter: new Date(now.getTime() + DAY_MS),
    });
    this.#server = createServer({
      cert: formatPem("CERTIFICATE", leaf.der),
      key: leaf.privateKey.export({ format: "pem", type: "pkcs8" }),
    });
    this.#server.on("request", (request, response) => void this.#serve({ request, response }));
  }

  static async open(): Promise<FakeKubeApi> {
    const now = Date.now();
    const authority = TestAuthority.root({
      notBefore: new Date(now - DAY_MS),
      notAfter: new Date(now + DAY_MS),
    });
    const api = new FakeKubeApi(authority);
    api.#server.listen(0, "127.0.0.1");
    await once(api.#server, "listening");
    api.put("namespaces", { metadata: { name: "kube-system", uid: "uid-of-the-cluster" } });
    return api;
  }

  get url(): string {
    const address = this.#server.address();
    if (address === null || typeof address === "string") throw new Error("not listening");
    return `https://localhost:${address.port}`;
  }

  get caPem(): string {
    return formatPem("CERTIFICATE", Certificate.parse(this.#authority.der).der);
  }

  /** A kubeconfig file for this API server, with its certificate and token in it. */
  kubeconfig(): string {
    return JSON.stringify({
      apiVersion: "v1",
      kind: "Config",
      "current-context": "fake",
      contexts: [{ name: "fake", context: { cluster: "fake", user: "fake" } }],
      clusters: [
        {
          name: "fake",
          cluster: {
            server: this.url,
            "certificate-authority-data": Buffer.from(this.caPem).toString("base64"),
          },
        },
      ],
      users: [{ name: "fake", user: { token: this.token } }],
    });
  }

  /** Makes an object, or replaces it. */
  put(plural: string, object: FakeObject): void {
    const key = keyOf(plural, object.metadata);
    const isNew = !this.#objects.has(key);
    this.#version += 1;
    const resourceVersion = String(this.#version);
    const stored = {
      ...object,
      metadata: { uid: `uid-${object.metadata.name}`, ...object.metadata, resourceVersion },
    };
    this.#objects.set(key, stored);
    this.#tell({
      version: this.#version,
      plural,
      type: isNew ? "ADDED" : "MODIFIED",
      object: stored,
    });
  }

  remove(plural: string, metadata: FakeObject["metadata"]): void {
    const key = keyOf(plural, metadata);
    const object = this.#objects.get(key);
    if (object === undefined) throw new Error(`there is no ${key}`);
    this.#objects.delete(key);
    this.#version += 1;
    const last = {
      ...object,
      metadata: { ...object.metadata, resourceVersion: String(this.#version) },
    };
    this.#tell({ version: this.#version, plural, type: "DELETED", object: last });
  }

  /** An object as it is now. */
  get(plural: string, metadata: FakeObject["metadata"]): FakeObject | undefined {
    return this.#objects.get(keyOf(plural, metadata));
  }

  /** Removes objects without a trace: watches end, and none goes on from before. */
  forget(plural: string, ...names: readonly string[]): void {
    for (const [key, { metadata }] of this.#objects) {
      if (key.startsWith(`${plural}/`) && names.includes(metadata.name)) this.#objects.delete(key);
    }
    this.#version += 1;
    this.#floor = this.#version;
    this.#log = [];
    this.endWatches();
  }

  /** Lets every watch end, as the API server does in its own time. */
  endWatches(): void {
    for (const response of this.#watches.keys()) response.end();
    this.#watches.clear();
  }

  /** Breaks every connection. */
  disconnect(): void {
    this.#server.closeAllConnections();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.close();
    this.#server.closeAllConnections();
    await once(this.#server, "close");
  }

  #tell(logged: Logged): void {
    this.#log.push(logged);
    for (const [response, plural] of this.#watches) {
      if (plural === logged.plural) sendLine(response, logged.type, logged.object);
    }
  }

  async #serve(served: Served): Promise<void> {
    const { request, response } = served;
    const url = new URL(request.url ?? "/", "https://localhost");
    this.requests.push(`${request.method} ${url.pathname}`);
    const body = await text(request);
    if (this.isHanging) return;
    if (this.failure !== undefined) {
      send(response, this.failure.status, this.failure.body);
    } else if (request.headers.authorization !== `Bearer ${this.token}`) {
      fail(response, 401, "Unauthorized");
    } else if (request.method === "POST" && url.pathname.endsWith("/tokenreviews")) {
      this.#review(response, JSON.parse(body));
    } else if (request.method === "PATCH") {
      this.#patch(response, url, JSON.parse(body));
    } else if (request.method === "POST" || request.method === "PUT") {
      const { plural, namespace } = placeOf(url);
      const object: FakeObject = JSON.parse(body);
      this.put(plural, { ...object, metadata: { ...namespaceOf(namespace), ...object.metadata } });
      send(response, 201, body);
    } else if (url.searchParams.has("watch")) {
      this.#watch(served, url);
    } else {
      this.#read(response, url);
    }
  }

  #review(
    response: ServerResponse,
    review: { spec: { token: string; audiences: string[] } },
  ): void {
    const known = this.tokens.get(review.spec.token);
    const status = known ?? { authenticated: false, error: "invalid bearer token" };
    send(response, 201, JSON.stringify({ ...review, status }));
  }

  #read(response: ServerResponse, url: URL): void {
    const { namespace, plural, name } = placeOf(url);
    if (name !== undefined) {
      const found = this.#objects.get(keyOf(plural, { name, ...namespaceOf(namespace) }));
      if (found === undefined) fail(response, 404, "NotFound");
      else send(response, 200, JSON.stringify(found));
      return;
    }
    const all = [...this.#objects].filter(([key]) => key.startsWith(`${plural}/`));
    const start = Number(url.searchParams.get("continue") ?? "0");
    const end = start + Number(url.searchParams.get("limit") ?? "500");
    const items = all.slice(start, end).map(([, object]) => object);
    const more = end < all.length ? { continue: String(end) } : {};
    const metadata = { resourceVersion: String(this.#version), ...more };
    send(response, 200, JSON.stringify({ kind: "List", metadata, items }));
  }

  /** Sets the fields of the patch; nothing is merged below them. */
  #patch(response: ServerResponse, url: URL, patch: object): void {
    const { namespace, plural, name = "" } = placeOf(url);
    const found = this.#objects.get(keyOf(plural, { name, ...namespaceOf(namespace) }));
    if (found === undefined) {
      fail(response, 404, "NotFound");
      return;
    }
    this.put(plural, { ...found, ...patch });
    send(response, 200, "{}");
  }

  #watch({ request, response }: Served, url: URL): void {
    const plural = url.pathname.split("/").at(-1) ?? "";
    const from = Number(url.searchParams.get("resourceVersion"));
    if (from < this.#floor) {
      fail(response, 410, "Expired");
      return;
    }
    response.writeHead(200, { "content-type": "application/json" });
    response.flushHeaders();
    for (const logged of this.#log) {
      if (logged.version > from && logged.plural === plural) {
        sendLine(response, logged.type, logged.object);
      }
    }
    this.#watches.set(response, plural);
    request.on("close", () => this.#watches.delete(response));
  }
}

/** What a path names: "/apis/GROUP/VERSION/namespaces/NAMESPACE/PLURAL/NAME/SUBRESOURCE" and the shorter ones. */
function placeOf({ pathname }: URL): { namespace?: string; plural: string; name?: string } {
  const form =
    /^\/apis?(?:\/[^/]+)?\/v[^/]+(?:\/namespaces\/([^/]+)(?=\/))?\/([^/]+)(?:\/([^/]+))?(?:\/status)?$/;
  const [, namespace, plural = "", name] = form.exec(pathname) ?? [];
  return { ...namespaceOf(namespace), plural, ...(name === undefined ? {} : { name }) };
}

function namespaceOf(namespace: string | undefined): { namespace?: string } {
  return namespace === undefined ? {} : { namespace };
}

function keyOf(plural: string, { name, namespace }: FakeObject["metadata"]): string {
  return namespace === undefined ? `${plural}/${name}` : `${plural}/${namespace}/${name}`;
}

function sendLine(response: ServerResponse, type: string, object: object): void {
  response.write(`${JSON.stringify({ type, object })}\n`);
}

function send(response: ServerResponse, status: number, body: string): void {
  response.writeHead(status, { "content-type": "application/json" });
  response.end(body);
}

function fail(response: ServerResponse, status: number, reason: string): void {
  send(response, status, JSON.stringify({ kind: "Status", reason, message: reason, code: status }));
}
