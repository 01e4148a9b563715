import type { Cursor } from "../../proto/gen/assay/sync/v1/sync_pb.ts";

/**
 * How far this agent has followed the server (D13): the place in the change log, and under what it was sent. Immutable; kept in
 * the state file, so that a restart resumes instead of asking for everything.
 */
export interface SyncPoint {
  /** Undefined before the first update, and with a server that has no change log. */
  readonly cursor: { readonly incarnation: string; readonly revision: bigint } | undefined;
  readonly authorizationDigest: Uint8Array;
  readonly revocationEpoch: bigint;
  readonly policyRevision: bigint;
}

/** Nothing followed yet. */
export const SYNC_START: SyncPoint = {
  cursor: undefined,
  authorizationDigest: new Uint8Array(),
  revocationEpoch: 0n,
  policyRevision: 0n,
};

/** What JWT-SVIDs are issued under; a token from under anything else is not served again (D12). */
export function issuanceEpoch(point: SyncPoint): string {
  return `${point.cursor?.incarnation ?? ""}/${point.revocationEpoch}/${point.policyRevision}`;
}

/** Whether a place lies before the one that this agent has reached in the same history of the store. */
export function leadsBack(point: SyncPoint, cursor: Cursor): boolean {
  return (
    point.cursor !== undefined &&
    point.cursor.incarnation === cursor.incarnation &&
    cursor.revision < point.cursor.revision
  );
}
