import { readFile } from "node:fs/promises";
import type { NodeAttestor } from "./node-attestor.ts";

const MAX_TOKEN_BYTES = 16 * 1024;
const TOKEN = /^[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+){2}$/;

/**
 * Attestation by the projected token of the pod that the agent runs in, which names the pod and its node. The kubelet replaces
 * the token before it ends, so the file is read at each attempt.
 */
export class K8sPsatAttestor implements NodeAttestor {
  readonly type = "k8s_psat";
  readonly #cluster: string;
  readonly #tokenFile: string;

  /** @param settings.cluster name of the cluster as the server knows it */
  constructor(settings: { readonly cluster: string; readonly tokenFile: string }) {
    this.#cluster = settings.cluster;
    this.#tokenFile = settings.tokenFile;
  }

  async payload(): Promise<Uint8Array> {
    const path = this.#tokenFile;
    let text: string;
    try {
      text = await readFile(path, "utf8");
    } catch (err) {
      throw new Error(`k8s_psat: token file ${path} cannot be read`, { cause: err });
    }
    const token = text.trim();
    if (token.length > MAX_TOKEN_BYTES || !TOKEN.test(token)) {
      throw new Error(`k8s_psat: token file ${path} must hold the token of a service account`);
    }
    return Buffer.from(JSON.stringify({ cluster: this.#cluster, token }));
  }

  answer(): Promise<Uint8Array> {
    return Promise.reject(new Error("k8s_psat: the server sent a challenge, and there is none"));
  }
}
