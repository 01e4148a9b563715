import type { JoinTokenRecord } from "../records.ts";
import type { NewEntry } from "./entries.ts";
import type { Operation } from "./operation.ts";

export interface CreateJoinToken {
  readonly tokenHash: string;
  readonly expiresAt: number;
  /** An entry that gives the node that joins a second, stable ID; it goes when the node is evicted. */
  readonly alias?: NewEntry;
  readonly now: number;
  readonly actor: string;
}

export interface ClaimJoinToken {
  readonly tokenHash: string;
  /** SHA-256 of the SubjectPublicKeyInfo of the CSR. */
  readonly publicKeyHash: string;
  readonly now: number;
}

export interface JoinTokenWrites {
  /** ALREADY_EXISTS when there is such a token, or the alias entry exists. */
  createJoinToken: Operation<CreateJoinToken, JoinTokenRecord>;
  /**
   * Binds the token to the key that claims it first; that key may claim it again until it expires, so that a lost reply
   * burns nothing. INVALID_ARGUMENT "failed to attest: join token does not exist or has already been used" for an unknown
   * token and for another key alike, INVALID_ARGUMENT "join token expired".
   */
  claimJoinToken: Operation<ClaimJoinToken, JoinTokenRecord>;
  /** The certificate was used: the token ends. Does nothing when it has ended before. */
  finishJoinToken: Operation<{ readonly tokenHash: string }, undefined>;
  /** Forgets expired tokens, at most `limit` of them; answers how many. */
  pruneJoinTokens: Operation<{ readonly now: number; readonly limit: number }, number>;
}

export interface JoinTokenReads {
  getJoinToken: Operation<{ readonly tokenHash: string }, JoinTokenRecord | undefined>;
}
