import * as z from "zod";
import { parseJsonPayload } from "../parse-payload.ts";

/** What an agent in a pod presents. */
export interface PsatEvidence {
  /** Name of its cluster, as the server knows it. */
  readonly cluster: string;
  /** The projected token of its service account. */
  readonly token: string;
}

const evidenceSchema = z.strictObject({
  cluster: z.string().min(1).max(63),
  token: z
    .string()
    .max(16 * 1024)
    .regex(/^[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+){2}$/),
});

/** Reads an agent's payload. @throws {StatusError} INVALID_ARGUMENT; never repeats the token */
export function parseEvidence(payload: Uint8Array): PsatEvidence {
  return parseJsonPayload(payload, evidenceSchema, "attestation payload");
}
