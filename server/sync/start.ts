import type { Cursor } from "../../proto/gen/assay/sync/v1/sync_pb.ts";

/** How an agent that has just connected is brought up to date. */
export type Start = "snapshot" | "difference" | "inventory";

/** What an agent says about what it holds. */
export interface HeldView {
  readonly cursor?: Pick<Cursor, "incarnation" | "revision"> | undefined;
  readonly authorizationDigest: Uint8Array;
}

/** What the server knows at that moment. */
export interface ServerView {
  readonly incarnation: string;
  readonly revision: bigint;
  /** Of the agent's selectors, aliases and parents. */
  readonly authorizationDigest: Uint8Array;
  /** Whether the changes after a revision are known. */
  hasChangesAfter(revision: bigint): boolean;
}

/**
 * Decides what an agent needs (D13). Only what changed, if its place is in the part of the log that is known, of the same history
 * of the store, and was made under the same selectors, aliases and parents. A place that the server has not reached is of a
 * history that is gone.
 */
export function decideStart(held: HeldView, server: ServerView): Start {
  const { cursor } = held;
  if (cursor === undefined) return "snapshot";
  const isResumable =
    cursor.incarnation === server.incarnation &&
    cursor.revision <= server.revision &&
    Buffer.from(held.authorizationDigest).equals(server.authorizationDigest) &&
    server.hasChangesAfter(cursor.revision);
  return isResumable ? "difference" : "inventory";
}
