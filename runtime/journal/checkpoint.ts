import { type KeyObject, verify } from "node:crypto";
import type { JournalPosition } from "./line.ts";

/** How far a journal reached at a time. */
export interface CheckpointFacts extends JournalPosition {
  /** Whose journal it is. */
  readonly writer: string;
  readonly time: Date;
}

/** A statement of the writer, signed, that others keep: who holds it can tell whether lines up to it were taken away. */
export interface Checkpoint extends CheckpointFacts {
  readonly keyId: string;
  /** Over {@link checkpointBytes}: ECDSA with SHA-256 as DER, or whatever the key's own default is. */
  readonly signature: Uint8Array;
}

/** What a checkpoint's signature is over: five lines of text, each with its end, so that no two statements share bytes. */
export function checkpointBytes(facts: CheckpointFacts): Uint8Array {
  const { writer, seq, hash, time } = facts;
  const lines = ["assay.journal.checkpoint.v1", writer.replaceAll("\n", " "), seq, hash];
  return Buffer.from([...lines, time.toISOString(), ""].join("\n"), "utf8");
}

/** Whether the holder of the key made this statement. */
export function verifyCheckpoint(checkpoint: Checkpoint, publicKey: KeyObject): boolean {
  return verify("sha256", checkpointBytes(checkpoint), publicKey, checkpoint.signature);
}
