import { stat } from "node:fs/promises";
import { Agent, type RequestOptions } from "node:https";
import type { KubeConfig } from "@kubernetes/client-node";
import { type Access, type Credentials, type StaticAccess, serverUrl } from "./access.ts";

// The one use of @kubernetes/client-node: kubeconfig files and the many ways in which they name credentials. It is loaded when
// such a file is read and not before, because it costs a process 60 MB; requests and watches are made by transport.ts.

/**
 * Access by a kubeconfig file, with whatever it says about credentials: tokens, certificates, files, commands, OIDC. Only for
 * files that the operator of this machine wrote: such a file may name commands to run and files to read.
 *
 * @param context without it: the file's current context
 * @throws {Error} when the file cannot be used, or says that the API server is not to be verified
 */
export function kubeconfigAccess(path: string, context?: string): Promise<Access> {
  return KubeconfigAccess.open(path, context);
}

// The file is replaced when its credentials are: by an operator, or by the kubelet for a Secret.
class KubeconfigAccess implements Access {
  readonly #path: string;
  readonly #context: string | undefined;
  #loaded: Loaded;

  private constructor(path: string, context: string | undefined, loaded: Loaded) {
    this.#path = path;
    this.#context = context;
    this.#loaded = loaded;
  }

  static async open(path: string, context: string | undefined): Promise<KubeconfigAccess> {
    return new KubeconfigAccess(path, context, await loadServer(path, context));
  }

  get server(): URL {
    return this.#loaded.server;
  }

  async credentials(): Promise<Credentials> {
    await this.#refresh();
    const { config } = this.#loaded;
    const options: RequestOptions = {};
    await config.applyToHTTPSOptions(options);
    const { agent } = options;
    const isProxied = config.getCurrentCluster()?.proxyUrl !== undefined && agent instanceof Agent;
    return { ...credentialsOf(options), ...(isProxied ? { agent } : {}) };
  }

  async #refresh(): Promise<void> {
    try {
      const { mtimeMs } = await stat(this.#path);
      if (mtimeMs === this.#loaded.mtimeMs) return;
      this.#loaded = await loadServer(this.#path, this.#context);
    } catch {
      // It is gone or half-written: what it said before holds until it can be read again.
    }
  }
}

interface Loaded {
  readonly config: KubeConfig;
  readonly server: URL;
  readonly mtimeMs: number;
}

async function loadServer(path: string, context: string | undefined): Promise<Loaded> {
  // Before it is read: a change in between is then seen at the next look.
  const mtimeMs = await stat(path).then(
    (found) => found.mtimeMs,
    () => 0,
  );
  const config = await load(path, context);
  return { config, server: serverUrl(config.getCurrentCluster()?.server ?? ""), mtimeMs };
}

/**
 * The access of a kubeconfig file as a value that needs nothing but itself: the files that it names are read.
 *
 * @throws {Error} when its credentials come from a command or a login, which another machine cannot repeat
 */
export async function readKubeconfig(path: string, context?: string): Promise<StaticAccess> {
  const config = await load(path, context);
  const cluster = config.getCurrentCluster();
  const user = config.getCurrentUser();
  if (user?.exec != null || user?.authProvider != null || cluster?.proxyUrl !== undefined) {
    throw new Error(
      `${path}: expected a token or a client certificate, not a command, a login or a proxy`,
    );
  }
  const options: RequestOptions = {};
  await config.applyToHTTPSOptions(options);
  const { tls, headers } = credentialsOf(options);
  const [, token] = /^Bearer (.+)$/.exec(headers["authorization"] ?? "") ?? [];
  return { server: serverUrl(cluster?.server ?? "").href, tls, token };
}

async function load(path: string, context: string | undefined): Promise<KubeConfig> {
  const { KubeConfig: Config } = await import("@kubernetes/client-node");
  const config = new Config();
  try {
    config.loadFromFile(path);
  } catch (cause) {
    // The cause may quote the file.
    const code =
      cause instanceof Error && "code" in cause ? String(cause.code) : "not a kubeconfig";
    throw new Error(`${path}: ${code}`);
  }
  if (context !== undefined) config.setCurrentContext(context);
  const cluster = config.getCurrentCluster();
  if (cluster === null || config.getCurrentUser() === null) {
    throw new Error(`${path}: expected a context with a cluster and a user`);
  }
  if (cluster.skipTLSVerify) {
    throw new Error(`${path}: insecure-skip-tls-verify is refused: identities rest on its answers`);
  }
  return config;
}

function credentialsOf(options: RequestOptions): Credentials {
  const headers: Record<string, string> = {};
  for (const [name, value] of Object.entries(options.headers ?? {})) {
    if (value !== undefined) headers[name.toLowerCase()] = String(value);
  }
  if (typeof options.auth === "string") {
    headers["authorization"] = `Basic ${Buffer.from(options.auth).toString("base64")}`;
  }
  const { servername } = options;
  return {
    tls: {
      ca: pem(options.ca),
      cert: pem(options.cert),
      key: pem(options.key),
      ...(servername === undefined ? {} : { servername }),
    },
    headers,
  };
}

function pem(value: unknown): string | undefined {
  return typeof value === "string" || Buffer.isBuffer(value) ? value.toString() : undefined;
}
