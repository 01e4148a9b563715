import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import type { NodeAttestor } from "./node-attestor.ts";

const MAX_TOKEN_BYTES = 1024;

/** Where the token comes from: the configuration, or a file that may be written later and is read at each attempt. */
export type JoinTokenSource = { readonly token: string } | { readonly tokenFile: string };

/**
 * Attestation by a token that an operator made for this node. A token is good for one identity; the server binds it to the key
 * of the first attempt, so an attempt may be repeated with that key, and a token that has led to an identity is not sent again.
 */
export class JoinTokenAttestor implements NodeAttestor {
  readonly type = "join_token";
  readonly #source: JoinTokenSource;
  readonly #isUsedUp: (digest: Uint8Array) => boolean;

  /** @param isUsedUp whether the token with this SHA-256 digest has led to an identity */
  constructor(source: JoinTokenSource, isUsedUp: (digest: Uint8Array) => boolean) {
    this.#source = source;
    this.#isUsedUp = isUsedUp;
  }

  async payload(): Promise<Uint8Array | undefined> {
    const token = await this.#readToken();
    if (token === undefined || this.#isUsedUp(digestToken(token))) return undefined;
    return token;
  }

  answer(): Promise<Uint8Array> {
    return Promise.reject(new Error("join_token: the server sent a challenge, and there is none"));
  }

  async #readToken(): Promise<Uint8Array | undefined> {
    if ("token" in this.#source) return Buffer.from(this.#source.token, "utf8");
    const path = this.#source.tokenFile;
    let text: string;
    try {
      text = (await readFile(path, "utf8")).trim();
    } catch (err) {
      if (err instanceof Error && "code" in err && err.code === "ENOENT") return undefined;
      throw new Error(`join_token: token file ${path} cannot be read`, { cause: err });
    }
    if (text === "" || text.length > MAX_TOKEN_BYTES) {
      throw new Error(`join_token: token file ${path} must hold one token`);
    }
    return Buffer.from(text, "utf8");
  }
}

/** What the state file remembers of a token. */
export function digestToken(token: Uint8Array): Uint8Array {
  return new Uint8Array(createHash("sha256").update(token).digest());
}
