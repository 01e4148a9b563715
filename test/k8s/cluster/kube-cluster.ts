import type { KubeClient } from "./kube-client.ts";

/** A cluster as its administrators have it, wherever it runs: its API, and the tools. */
export interface KubeCluster {
  readonly client: KubeClient;
  /** Two nodes that run pods, or twice the only one. */
  readonly nodeNames: readonly [string, string];
  /** @returns what it printed @throws {Error} with what it said when it failed */
  kubectl(args: readonly string[], options?: { readonly input?: string }): Promise<string>;
  /** @returns what it printed @throws {Error} with what it said when it failed */
  helm(args: readonly string[], options?: { readonly input?: string }): Promise<string>;
  /** Creates objects or brings them to this state. */
  apply(...objects: readonly object[]): Promise<void>;
}

/** As an argument of `kubectl apply`. */
export const applyFlags: readonly string[] = [
  "apply",
  "--server-side",
  "--force-conflicts",
  "-f",
  "-",
];
