import type { SetMatch } from "../../../proto/selector.ts";
import type { AttestedNodeRecord, SelectorRecord } from "../records.ts";
import type { Operation, Page, PageRequest } from "./operation.ts";

/** What an attestation found out and what was issued for it. */
export interface Attestation {
  readonly id: string;
  readonly attestationType: string;
  readonly serial: string;
  readonly expiresAt: number;
  readonly publicKeyHash: string;
  readonly selectors: readonly SelectorRecord[];
  readonly canReattest: boolean;
  readonly now: number;
}

/** A renewed certificate, handed out beside the one in use. */
export interface NodeRenewal {
  readonly id: string;
  readonly newSerial: string;
  readonly newExpiresAt: number;
  readonly newPublicKeyHash: string;
}

export interface ListNodesFilter {
  readonly byAttestationType?: string;
  readonly bySelectors?: {
    readonly match: SetMatch;
    readonly selectors: readonly SelectorRecord[];
  };
  readonly byBanned?: boolean;
  readonly byCanReattest?: boolean;
  /** Expired before this instant. */
  readonly byExpiresBefore?: number;
}

export interface ListedNode {
  readonly node: AttestedNodeRecord;
  /** Written in batches outside the revision log. */
  readonly lastSeenAt: number;
}

export interface PurgeNodes {
  readonly expiredBefore: number;
  /** Also those that cannot attest again by themselves, such as those that joined by token. */
  readonly includeNonReattestable: boolean;
  readonly limit: number;
}

export interface NodeWrites {
  /**
   * Records a first or repeated attestation, whose certificate supersedes all earlier ones.
   * PERMISSION_DENIED "agent is banned".
   */
  recordAttestation: Operation<Attestation, AttestedNodeRecord>;
  /** Keeps a renewed certificate beside the current one. NOT_FOUND, PERMISSION_DENIED when banned. */
  recordNodeRenewal: Operation<NodeRenewal, AttestedNodeRecord>;
  /** The renewed certificate was used: it becomes the current one. NOT_FOUND, FAILED_PRECONDITION for another serial. */
  activateNodeRenewal: Operation<
    { readonly id: string; readonly serial: string },
    AttestedNodeRecord
  >;
  /** NOT_FOUND "agent not found". Banning twice changes nothing. */
  banNode: Operation<{ readonly id: string }, AttestedNodeRecord>;
  /** Evicts: forgets the node and the alias entry that its join token brought. NOT_FOUND "agent not found". */
  deleteNode: Operation<{ readonly id: string }, AttestedNodeRecord>;
  /** Forgets expired nodes that are not banned; answers their IDs. Call again while it answers `limit` of them. */
  purgeNodes: Operation<PurgeNodes, readonly string[]>;
  /** NOT_FOUND "agent not found". */
  setAgentVersion: Operation<{ readonly id: string; readonly agentVersion: string }, undefined>;
  /** Takes no revision and ignores nodes that are gone. */
  recordNodesSeen: Operation<
    { readonly seen: readonly { readonly id: string; readonly at: number }[] },
    undefined
  >;
}

export interface NodeReads {
  getNode: Operation<{ readonly id: string }, ListedNode | undefined>;
  /** In order of first attestation; with byExpiresBefore in order of expiry. */
  listNodes: Operation<
    { readonly filter: ListNodesFilter; readonly page: PageRequest },
    Page<ListedNode>
  >;
  countNodes: Operation<{ readonly filter: ListNodesFilter }, number>;
}
