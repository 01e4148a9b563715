import { Feed, type ReadFeed } from "../../runtime/feed.ts";
import type { AgentIdentity } from "./agent-identity.ts";
import { readVerdict, type Verdict } from "./verdict.ts";

/** The agent's standing with the server: its identity, and the server's last word about it. */
export interface Standing {
  readonly identity: AgentIdentity | undefined;
  /** Undefined while the server accepts the identity. */
  readonly verdict: Verdict | undefined;
}

/**
 * Holds the agent's standing. The connection reads it to present the certificate, attestation changes it, and whoever calls the
 * server reports refusals to it.
 */
export class IdentityHolder {
  readonly #standing: Feed<Standing>;

  constructor(initial: Standing) {
    this.#standing = new Feed(initial);
  }

  get standing(): ReadFeed<Standing> {
    return this.#standing;
  }

  get identity(): AgentIdentity | undefined {
    return this.#standing.value.identity;
  }

  /** Takes a new identity; whatever the server said of the one before is over. */
  setIdentity(identity: AgentIdentity): void {
    this.#standing.set({ identity, verdict: undefined });
  }

  /** Takes note of the server's word. */
  setVerdict(verdict: Verdict | undefined): void {
    if (verdict === this.#standing.value.verdict) return;
    this.#standing.set({ ...this.#standing.value, verdict });
  }

  /** Looks whether a failed call tells something of the agent's standing; returns what. */
  report(err: unknown): Verdict | undefined {
    const verdict = readVerdict(err);
    if (verdict !== undefined) this.setVerdict(verdict);
    return verdict;
  }
}
