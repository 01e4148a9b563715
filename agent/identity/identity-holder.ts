import { Feed, type ReadFeed } from "../../runtime/feed.ts";
import type { Random } from "../../runtime/random.ts";
import type { Clock } from "../../runtime/time/clock.ts";
import type { AgentIdentity } from "./agent-identity.ts";
import { isTainted, type SigningAuthorities } from "./signing-authorities.ts";
import { readVerdict, type Verdict } from "./verdict.ts";

/** A fleet whose authority is tainted renews within this time, not in one burst. */
const TAINT_SPREAD_MS = 5_000;

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

  /** Lets the identity be renewed within a few seconds if one of its authorities is tainted, before that one is revoked. */
  renewTainted(
    authorities: SigningAuthorities,
    o: { readonly clock: Clock; readonly random: Random },
  ): void {
    const { identity } = this;
    if (identity === undefined || !isTainted(authorities, identity.authorityKeyIds)) return;
    const renewAt = new Date(o.clock.now().getTime() + TAINT_SPREAD_MS * o.random.uniform());
    if (renewAt >= identity.renewAt) return;
    this.#standing.set({ ...this.#standing.value, identity: { ...identity, renewAt } });
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
