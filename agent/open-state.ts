import type { AgentState } from "../proto/gen/assay/agent/v1/state_pb.ts";
import type { Logger } from "../runtime/log.ts";
import type { TrustDomain } from "../spiffe/id/trust-domain.ts";
import type { StateSettings } from "./config/serving-settings.ts";
import {
  type AgentIdentity,
  importPrivateKey,
  restoreIdentity,
} from "./identity/agent-identity.ts";
import type { StoredAttestation } from "./node-attestation/attestation-memory.ts";
import { loadState } from "./state/load-state.ts";
import { type NodeFacts, nodeBinding } from "./state/node-binding.ts";
import { isInMemory } from "./state/state-file.ts";

/** What an agent begins with. */
export interface OpenedState {
  /** What an earlier run left; undefined when there is nothing that may be used. */
  readonly loaded: AgentState | undefined;
  readonly identity: AgentIdentity | undefined;
  readonly attestation: StoredAttestation;
  /** What the next state file is bound to. */
  readonly nodeBinding: Uint8Array;
}

/**
 * Finds out where the state file lies and what it holds.
 *
 * @throws {Error} when it lies on a disk and the configuration does not allow that, or when it may not be trusted at all
 */
export async function openState(o: {
  readonly settings: StateSettings;
  readonly trustDomain: TrustDomain;
  readonly nodeFacts: NodeFacts;
  readonly log: Logger;
}): Promise<OpenedState> {
  const { path, insecureDisk } = o.settings;
  const inMemory = await isInMemory(path);
  if (!inMemory && !insecureDisk) {
    throw new Error(
      `state.path: ${path} lies on a disk, where backups would copy private keys; put it on a tmpfs, or set state.insecureDisk`,
    );
  }
  if (!inMemory) o.log.warn({ path }, "State file with private keys lies on a disk");
  const binding = nodeBinding(o.nodeFacts, inMemory);
  const trustDomain = o.trustDomain.name;
  const loaded = await loadState({ path, trustDomain, nodeBinding: binding, log: o.log });
  return {
    loaded,
    identity: identityOf(loaded, o.trustDomain, o.log),
    attestation: {
      key: loaded?.attestationKey.length ? importPrivateKey(loaded.attestationKey) : undefined,
      payloadDigest: loaded?.attestationPayloadDigest.slice(),
    },
    nodeBinding: binding,
  };
}

function identityOf(
  loaded: AgentState | undefined,
  trustDomain: TrustDomain,
  log: Logger,
): AgentIdentity | undefined {
  if (loaded?.identity === undefined) return undefined;
  try {
    return restoreIdentity(loaded.identity, trustDomain);
  } catch (err) {
    log.warn({ err }, "Agent identity of the state file is not usable");
    return undefined;
  }
}
