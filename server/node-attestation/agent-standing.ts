/**
 * How an agent stands that came with a certificate:
 *
 * - current: the certificate is the one on record
 * - next: the certificate was issued by a renewal and is used for the first time; using it makes it current
 * - expired: the certificate has run out; within the grace time its key may still renew
 * - superseded: a newer certificate has been used since
 * - unknown: the server has no record of the agent, or no longer
 * - banned: an operator has banned the agent
 */
export type AgentStanding = "current" | "next" | "expired" | "superseded" | "unknown" | "banned";

/** What is on record about an attested agent, as far as its standing goes. */
export interface AgentOnRecord {
  readonly banned: boolean;
  /** Serial number of the certificate in use, as Certificate.serialNumberHex. */
  readonly serialNumber: string;
  /** Serial number of a renewed certificate that was not used yet. */
  readonly nextSerialNumber?: string | undefined;
}

/** The certificate that the agent presented. Its chain was verified. */
export interface PresentedCertificate {
  readonly serialNumber: string;
  readonly notAfter: Date;
}

/** Decides how an agent stands. The order matters: a ban is told even to an agent whose certificate is old. */
export function judgeAgent(
  record: AgentOnRecord | undefined,
  certificate: PresentedCertificate,
  now: Date,
): AgentStanding {
  if (record === undefined) return "unknown";
  if (record.banned) return "banned";
  const isCurrent = certificate.serialNumber === record.serialNumber;
  const isNext = certificate.serialNumber === record.nextSerialNumber;
  if (!isCurrent && !isNext) return "superseded";
  if (certificate.notAfter <= now) return "expired";
  return isNext ? "next" : "current";
}
