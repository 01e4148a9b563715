import { quote, SpiffeError } from "../error.ts";
import type { SpiffeId, TrustDomain } from "./spiffe-id.ts";

/**
 * Decides whether a peer that has proved its ID is one we want to talk to: returns when it is.
 *
 * @throws {SpiffeError} "id_not_authorized" when it is not
 */
export type Matcher = (id: SpiffeId) => void;

/** Accepts every ID whose SVID was verified. */
export function matchAny(): Matcher {
  return () => {};
}

/** Accepts exactly one ID, byte for byte. */
export function matchId(expected: SpiffeId): Matcher {
  return (id) => {
    if (!id.equals(expected)) throw unexpected(id, `expected ${expected}`);
  };
}

/** Accepts any of the given IDs; with none given it accepts nothing. */
export function matchOneOf(...expected: readonly SpiffeId[]): Matcher {
  const accepted = new Set(expected.map(String));
  return (id) => {
    if (!accepted.has(id.toString())) throw unexpected(id, "it is not on the list");
  };
}

/** Accepts the ID of a trust domain and everything below it. */
export function matchMemberOf(trustDomain: TrustDomain): Matcher {
  return (id) => {
    if (!id.memberOf(trustDomain)) throw unexpected(id, `expected trust domain ${trustDomain}`);
  };
}

function unexpected(id: SpiffeId, reason: string): SpiffeError {
  return new SpiffeError("id_not_authorized", `peer ${quote(id.toString())} is refused: ${reason}`);
}
