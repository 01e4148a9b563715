import { createHash } from "node:crypto";
import { invalidArgument } from "../../runtime/errors/status-error.ts";
import type { Clock } from "../../runtime/time/clock.ts";
import { SpiffeId, type TrustDomain } from "../../spiffe/id/spiffe-id.ts";
import type { Store } from "../store/store.ts";
import type { NodeAttestor } from "./node-attestor.ts";

const PATH = "/spire/agent/join_token/";
const MAX_TOKEN_BYTES = 255;
const TOKEN = /^[A-Za-z0-9._-]+$/;

/**
 * Attests by a secret that an operator made and handed to the node. The first attempt that is accepted binds the token to the
 * key of its CSR; only that key may use it again until the token expires or the certificate has been used, so that a lost
 * reply or a failed signature burns nothing and a second node gets nothing. The payload is the token itself.
 */
export function joinTokenAttestor(deps: {
  readonly trustDomain: TrustDomain;
  readonly store: Pick<Store, "write">;
  readonly clock: Clock;
}): NodeAttestor {
  return {
    type: "join_token",
    attest: async ({ payload, publicKeyHash }) => {
      const token = decodeToken(payload);
      const tokenHash = hashJoinToken(token);
      const now = Math.floor(deps.clock.now().getTime() / 1000);
      await deps.store.write("claimJoinToken", { tokenHash, publicKeyHash, now });
      return {
        agentId: joinTokenAgentId(deps.trustDomain, token),
        selectors: [],
        canReattest: false,
      };
    },
  };
}

/** SHA-256 of a token, lower-case hexadecimal: all that is stored of it. */
export function hashJoinToken(token: string): string {
  return createHash("sha256").update(token).digest("hex");
}

/**
 * The ID of the agent that joins with a token. Stock tools expect the token in it. That does no harm once the agent has joined,
 * because then the token is bound to its key; whoever writes entries for the ID before shows the token to those who read them.
 */
export function joinTokenAgentId(trustDomain: TrustDomain, token: string): SpiffeId {
  return SpiffeId.fromPath(trustDomain, `${PATH}${token}`);
}

/** The token that an agent joined with; undefined for agents that came another way. */
export function joinTokenOfAgent(agentId: SpiffeId): string | undefined {
  return agentId.path.startsWith(PATH) ? agentId.path.slice(PATH.length) : undefined;
}

/**
 * Refuses what cannot be a token: it becomes a segment of the agent's ID.
 *
 * @throws {StatusError} INVALID_ARGUMENT
 */
export function checkJoinToken(token: string): void {
  const isSegment = TOKEN.test(token) && token !== "." && token !== "..";
  if (!isSegment || token.length > MAX_TOKEN_BYTES) {
    throw invalidArgument(
      `token: expected 1 to ${MAX_TOKEN_BYTES} letters, digits, ".", "-" or "_"`,
    );
  }
}

function decodeToken(payload: Uint8Array): string {
  const token = Buffer.from(payload.subarray(0, MAX_TOKEN_BYTES + 1)).toString("latin1");
  checkJoinToken(token);
  return token;
}
