import type { AuditDraft } from "../../proto/audit/v1/record.ts";
import { GENESIS, renderLine } from "../../runtime/journal/line.ts";
import type { MicroBench } from "../../test/bench/micro.ts";
import { renderAuditBody } from "./audit-line.ts";

const stamp = {
  writer: "server-1",
  time: new Date("2026-03-01T12:00:00Z"),
  phase: "intent",
} as const;
const draft: AuditDraft = {
  action: "svid.x509.issue",
  requestId: "0f8fad5b-d9cb-469f-a165-70867728950e",
  source: "10.1.2.3:4711",
  policyRevision: "7",
  revocationEpoch: "3",
  subject: {
    kind: "workload",
    id: "spiffe://example.test/ns/default/sa/web",
    podUid: null,
    node: null,
  },
  credential: {
    kind: "x509",
    issuer: "0a".repeat(20),
    serial: "4b".repeat(16),
    jti: null,
    audience: [],
    expiry: "2026-03-01T13:00:00.000Z",
  },
  publicKeySha256: "c0".repeat(32),
};
const body = renderAuditBody(stamp, draft);

export const benches: readonly MicroBench[] = [
  { name: "write a record", call: () => renderAuditBody(stamp, draft) },
  { name: "put it into the chain: frame and hash", call: () => renderLine(GENESIS, body) },
];
