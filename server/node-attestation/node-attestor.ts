import type { Selector } from "../../proto/selector.ts";
import type { SpiffeId } from "../../spiffe/id/spiffe-id.ts";

// Node attestation decides which agent is calling, from what the node can prove. What it must never do is take an agent's
// word for anything: every selector and every part of the ID comes from evidence that was checked here.

/** What an agent presents to prove which node it runs on. */
export interface NodeEvidence {
  /** As the agent's half of the attestor made it; hostile until checked. */
  readonly payload: Uint8Array;
  /** SHA-256, lower-case hexadecimal, of the SubjectPublicKeyInfo that is to be certified. */
  readonly publicKeyHash: string;
  /** Sends a challenge and resolves with the answer. Rejects when the agent has gone or takes too long. */
  challenge(challenge: Uint8Array): Promise<Uint8Array>;
}

/** What was proved. */
export interface NodeIdentity {
  readonly agentId: SpiffeId;
  readonly selectors: readonly Selector[];
  /** Whether the same evidence can be shown again. If so, agents renew by attesting again. */
  readonly canReattest: boolean;
}

/** The server's half of one way to attest a node. */
export interface NodeAttestor {
  /** The name on the wire, such as "x509pop". */
  readonly type: string;
  /** @throws {StatusError} fit for the agent's eyes; it never repeats secrets of the payload */
  attest(evidence: NodeEvidence): Promise<NodeIdentity>;
}
