/** Reading the audit log and checking that nothing of it was changed: two calls of assay.admin.v1. */
import type { KeyObject } from "node:crypto";
import type { Admin } from "../../../proto/gen/assay/admin/v1/admin_pb.ts";
import type { JournalPosition } from "../../../runtime/journal/line.ts";
import type { Handlers } from "../../../runtime/rpc/service.ts";
import { queryAudit, queryNewest } from "../../audit/query-audit.ts";
import { verifyAudit } from "../../audit/verify-audit.ts";
import type { Caller } from "../caller.ts";

export interface AdminAuditDeps {
  /** Where the log is. */
  readonly directory: string;
  /** The keys that this server signs checkpoints with. */
  readonly trustedKeys: () => readonly KeyObject[];
  /** The newest checkpoints that agents say they have seen. */
  readonly witnessed: () => readonly JournalPosition[];
  /** Writes the records that wait for company, so that whoever looks finds what has just happened. */
  readonly flush: () => Promise<void>;
}

const defaultLimit = 1_000;
const maxLimit = 100_000;

export function adminAudit(
  deps: AdminAuditDeps,
): Pick<Handlers<typeof Admin, Caller>, "listAudit" | "verifyAudit"> {
  const { directory, trustedKeys, witnessed, flush } = deps;
  return {
    async *listAudit({ fromSeq, sinceMs, credential, spiffeId, action, limit }) {
      const filter = {
        limit: Math.min(limit || defaultLimit, maxLimit),
        ...(fromSeq > 0n && { fromSeq: Number(fromSeq) }),
        ...(sinceMs > 0n && { since: new Date(Number(sinceMs)) }),
        ...(spiffeId !== "" && { subjectId: spiffeId }),
        ...(action !== "" && { action }),
      };
      await flush();
      const found =
        credential === "" && fromSeq === 0n
          ? await queryNewest(directory, filter)
          : queryAudit(directory, { ...filter, ...(credential !== "" && { credential }) });
      for await (const { line, record } of found) {
        yield { writer: record.writer, seq: BigInt(line.seq), line: line.bytes };
      }
    },

    verifyAudit: async ({ witness }) => {
      const heads = witness ? witnessed() : [];
      await flush();
      const checked = await verifyAudit(directory, {
        witnessed: heads,
        trustedKeys: trustedKeys(),
      });
      return {
        intact: checked.findings.length === 0,
        findings: checked.findings.map(({ kind, seq, message }) => `${kind} at ${seq}: ${message}`),
        records: BigInt(checked.records),
        firstSeq: BigInt(checked.firstSeq),
        lastSeq: BigInt(checked.lastSeq),
        witnesses: heads.length,
      };
    },
  };
}
