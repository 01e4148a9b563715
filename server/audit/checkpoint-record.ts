import type { AuditDraft } from "../../proto/audit/v1/record.ts";
import type { Checkpoint } from "../../runtime/journal/checkpoint.ts";

/** A checkpoint and what else a restart wants to know, as a record of the log itself. */
export function checkpointDraft(checkpoint: Checkpoint, openFrom: number): AuditDraft {
  const { seq, hash, time, keyId, signature } = checkpoint;
  return {
    action: "audit.checkpoint",
    details: {
      seq,
      hash,
      time: time.toISOString(),
      keyId,
      signature: Buffer.from(signature).toString("base64"),
      // The first intent that had no outcome: where a restart begins to look for open ones.
      openFrom,
    },
  };
}

/** Reads a checkpoint back from the details of its record; undefined if they are not those of one. */
export function readCheckpoint(writer: string, details: unknown): Checkpoint | undefined {
  if (typeof details !== "object" || details === null) return undefined;
  const { seq, hash, time, keyId, signature }: Record<string, unknown> = { ...details };
  const isOne =
    typeof seq === "number" &&
    typeof hash === "string" &&
    typeof time === "string" &&
    !Number.isNaN(Date.parse(time)) &&
    typeof keyId === "string" &&
    typeof signature === "string";
  if (!isOne) return undefined;
  const bytes = Buffer.from(signature, "base64");
  return { writer, seq, hash, time: new Date(time), keyId, signature: bytes };
}
