import { Agent as PlainAgent, request as plainRequest } from "node:http";
import { Agent, request } from "node:https";
import type { PemCertificate } from "./certificates.ts";

const maxAnswerBytes = 256 << 20;

/** How to reach an API server, and as whom: over TLS, or without through a proxy that does it for us. */
export interface KubeClientOptions {
  readonly socketPath: string;
  readonly tls?: {
    /** PEM. */
    readonly authority: string;
    readonly identity: PemCertificate;
  };
}

/** An object of the Kubernetes API, as far as every kind has it. */
export interface KubeObject {
  readonly apiVersion?: string;
  readonly kind?: string;
  readonly metadata: {
    readonly name: string;
    readonly namespace?: string;
    readonly uid?: string;
    readonly labels?: Readonly<Record<string, string>>;
    readonly annotations?: Readonly<Record<string, string>>;
    readonly deletionTimestamp?: string;
    readonly creationTimestamp?: string;
  };
}

/** An answer of the API server that is no success. */
export class KubeError extends Error {
  override readonly name = "KubeError";
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

/** Requests to an API server on a few connections that stay open; much quicker than a kubectl each. */
export class KubeClient implements Disposable {
  readonly #agent: PlainAgent;
  readonly #request: typeof plainRequest;
  readonly #socketPath: string;

  constructor({ socketPath, tls }: KubeClientOptions) {
    this.#socketPath = socketPath;
    this.#request = tls === undefined ? plainRequest : request;
    const connections = { keepAlive: true, maxSockets: 16 };
    if (tls === undefined) {
      this.#agent = new PlainAgent(connections);
      return;
    }
    this.#agent = new Agent({
      ...connections,
      servername: "kubernetes.default.svc",
      ca: tls.authority,
      cert: tls.identity.certificate,
      key: tls.identity.privateKey,
    });
  }

  /** @throws {KubeError} */
  get<T = KubeObject>(path: string): Promise<T> {
    return this.#json("GET", path);
  }

  /** The items of a list. @throws {KubeError} */
  async list<T extends KubeObject = KubeObject>(path: string): Promise<readonly T[]> {
    return (await this.get<{ readonly items: readonly T[] }>(path)).items;
  }

  /** @throws {KubeError} */
  create<T = KubeObject>(path: string, body: object): Promise<T> {
    return this.#json("POST", path, body);
  }

  /** A JSON merge patch: fields that are null go away. @throws {KubeError} */
  patch<T = KubeObject>(path: string, body: object): Promise<T> {
    return this.#json("PATCH", path, body, "application/merge-patch+json");
  }

  /** Asks for the deletion and does not wait for it; what is not there counts as deleted. @throws {KubeError} */
  async delete(path: string, options: object = {}): Promise<void> {
    await this.#json("DELETE", path, options).catch((error: unknown) => {
      if (!(error instanceof KubeError && error.status === 404)) throw error;
    });
  }

  /** The body of an answer as it is: logs, health, metrics. @throws {KubeError} */
  text(path: string): Promise<string> {
    return this.#ask("GET", path);
  }

  [Symbol.dispose](): void {
    this.#agent.destroy();
  }

  async #json<T>(method: string, path: string, body?: object, type?: string): Promise<T> {
    const text = await this.#ask(method, path, body, type);
    return JSON.parse(text) as T;
  }

  #ask(
    method: string,
    path: string,
    body?: object,
    type: string = "application/json",
  ): Promise<string> {
    const payload = body === undefined ? undefined : JSON.stringify(body);
    const { promise, resolve, reject } = Promise.withResolvers<string>();
    const call = this.#request(
      {
        agent: this.#agent,
        socketPath: this.#socketPath,
        method,
        path,
        timeout: 15_000,
        headers:
          payload === undefined
            ? {}
            : { "content-type": type, "content-length": Buffer.byteLength(payload) },
      },
      (answer) => {
        let text = "";
        answer.setEncoding("utf8");
        answer.on("data", (chunk: string) => {
          text += chunk;
          if (text.length > maxAnswerBytes) call.destroy(new Error("the answer is too long"));
        });
        answer.on("error", reject);
        answer.on("end", () => {
          const status = answer.statusCode ?? 0;
          if (status >= 200 && status < 300) resolve(text);
          else reject(new KubeError(status, `${method} ${path}: ${status} ${reasonOf(text)}`));
        });
      },
    );
    call.on("error", reject);
    call.on("timeout", () => call.destroy(new Error(`${method} ${path}: no answer in time`)));
    call.end(payload);
    return promise;
  }
}

function reasonOf(text: string): string {
  try {
    const status: unknown = JSON.parse(text);
    if (typeof status === "object" && status !== null && "message" in status) {
      return String(status.message);
    }
  } catch {
    // Not every refusal is an object of the API.
  }
  return text.slice(0, 500);
}
