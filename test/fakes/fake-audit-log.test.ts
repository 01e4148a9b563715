import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { FakeAuditLog } from "./fake-audit-log.ts";

describe("FakeAuditLog", () => {
  it("keeps what it is given, outcomes with their intents", async () => {
    const audit = new FakeAuditLog();
    audit.event({ action: "agent.attest" });
    const ref = await audit.intent({ action: "svid.x509.issue", requestId: "r" });
    audit.outcome(ref, { decision: "failed", reasonCode: "x" });
    assert.deepEqual(
      audit.lines.map(({ phase, action, intent }) => [phase, action, intent]),
      [
        ["event", "agent.attest", undefined],
        ["intent", "svid.x509.issue", undefined],
        ["outcome", "svid.x509.issue", 2],
      ],
    );
    assert.equal(audit.lines[2]?.facts.reasonCode, "x");
  });

  it("refuses intents while it is told to, as the real one does", async () => {
    const audit = new FakeAuditLog();
    audit.setWritable(false);
    await assert.rejects(audit.intent({ action: "a.b" }), { reason: "audit_unavailable" });
    audit.setWritable(true);
    await audit.intent({ action: "a.b" });
    assert.equal(audit.lines.length, 1);
  });
});
