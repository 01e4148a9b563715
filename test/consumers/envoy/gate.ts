// An Envoy that lets callers in or not, seen by a caller and by its operator.

import { once } from "node:events";
import { get as getPlain } from "node:http";
import { get } from "node:https";
import { text } from "node:stream/consumers";

/** Whom a caller shows itself as; PEM. */
export interface Caller {
  readonly cert: string;
  readonly key: string;
}

/** Why callers were turned away so far, in Envoy's own counters. */
export interface Refusals {
  /** No bundle vouches for the certificate. */
  readonly untrusted: number;
  /** No matcher fits the name in it. */
  readonly unmatched: number;
}

export class Gate {
  readonly port: number;
  readonly #adminSocket: string;

  constructor(port: number, adminSocket: string) {
    this.port = port;
    this.#adminSocket = adminSocket;
  }

  /** What a caller is answered, who does not look whom it speaks to; "refused" when the handshake fails. */
  async ask({ cert, key }: Caller): Promise<string> {
    const options = { host: "127.0.0.1", port: this.port, cert, key, rejectUnauthorized: false };
    try {
      const [response] = await once(get({ ...options, agent: false }), "response");
      return `${response.statusCode} ${await text(response)}`;
    } catch (err) {
      const code = String(err instanceof Error && "code" in err && err.code);
      if (code.startsWith("ERR_SSL_") || code === "ECONNRESET") return "refused";
      throw err;
    }
  }

  /** Streams to the agent that are open. */
  async streams(): Promise<number> {
    const stat = "cluster.spiffe_agent.upstream_rq_active";
    return Number((await this.#admin(`/stats?filter=^${stat}$`)).split(":").at(-1));
  }

  async refusals(): Promise<Refusals> {
    const stats = await this.#admin("/stats?filter=ssl.fail_verify");
    const count = (name: string): number =>
      stats
        .split("\n")
        .filter((line) => line.startsWith("listener.") && line.includes(`.${name}:`))
        .reduce((sum, line) => sum + Number(line.split(":").at(-1)), 0);
    return { untrusted: count("ssl.fail_verify_error"), unmatched: count("ssl.fail_verify_san") };
  }

  /** The validation contexts that it works with, by name, as Envoy writes them. */
  async contexts(): Promise<ReadonlyMap<string, object>> {
    const dump = JSON.parse(await this.#admin("/config_dump?resource=dynamic_active_secrets"));
    const secrets: readonly ActiveSecret[] = dump.configs ?? [];
    return new Map(
      secrets.flatMap(({ name, secret: { validation_context: context } }) =>
        context === undefined ? [] : [[name, context]],
      ),
    );
  }

  async #admin(path: string): Promise<string> {
    const [response] = await once(getPlain({ socketPath: this.#adminSocket, path }), "response");
    return await text(response);
  }
}

interface ActiveSecret {
  readonly name: string;
  readonly secret: { readonly validation_context?: object };
}
