import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { AuditCredential, AuditSubject } from "../../proto/audit/v1/record.ts";

import { FakeClock } from "../../test/fakes/fake-clock.ts";
import { RecordingLog } from "../../test/fakes/recording-log.ts";
import { TempDir } from "../../test/support/temp-dir.ts";
import { MemoryKeyManager } from "../keymanager/memory-key-manager.ts";
import { JournalAuditLog } from "./journal-audit-log.ts";
import { queryAudit, queryNewest, whoHas } from "./query-audit.ts";

function certificate(serial: string): AuditCredential {
  const expiry = "2026-03-01T13:00:00.000Z";
  return { kind: "x509", issuer: "aa", serial, jti: null, audience: [], expiry };
}

function workload(id: string): AuditSubject {
  return { kind: "workload", id, podUid: null, node: null };
}

async function open(
  dir: TempDir,
  clock = new FakeClock(),
  maxSegmentBytes = 1_000_000,
): Promise<JournalAuditLog> {
  return JournalAuditLog.open({
    maxSegmentBytes,
    directory: dir.path,
    writer: "server/a",
    clock,
    keys: new MemoryKeyManager(),
    log: new RecordingLog().log,
  });
}

async function issueBatch(audit: JournalAuditLog): Promise<void> {
  const ref = await audit.intent({
    action: "svid.x509.issue",
    actors: [{ kind: "node", id: "spiffe://a.test/spire/agent/x", podUid: null, node: null }],
    batch: [
      { subject: workload("spiffe://a.test/one"), credential: certificate("0a0b") },
      { subject: workload("spiffe://a.test/two"), credential: certificate("0c0d") },
    ],
  });
  await audit.intent({ action: "agent.ban", subject: workload("spiffe://a.test/three") });
  audit.outcome(ref, {
    decision: "allow",
    batch: [{ decision: "allow" }, { decision: "failed", reasonCode: "csr_signature" }],
  });
  await audit.flush();
}

describe("whoHas", () => {
  it("names the holder of one certificate of a batch and how that one ended", async () => {
    await using dir = await TempDir.open();
    await using audit = await open(dir);
    await issueBatch(audit);
    const one = await whoHas(dir.path, "0a0b");
    assert.equal(one?.intent.subject?.id, "spiffe://a.test/one");
    assert.equal(one?.outcome?.decision, "allow");
    const two = await whoHas(dir.path, "C:0D");
    assert.equal(two?.intent.subject?.id, "spiffe://a.test/two");
    assert.equal(two?.outcome?.decision, "failed");
    assert.equal(two?.outcome?.reasonCode, "csr_signature");
    assert.equal(await whoHas(dir.path, "0e0f"), undefined);
  });

  it("tells of an intent without an outcome yet", async () => {
    await using dir = await TempDir.open();
    await using audit = await open(dir);
    await audit.intent({ action: "svid.x509.issue", credential: certificate("99") });
    const found = await whoHas(dir.path, "0099");
    assert.equal(found?.intent.credential?.serial, "99");
    assert.equal(found?.outcome, undefined);
  });
});

describe("queryAudit", () => {
  it("finds by subject, actor, action, time and place", async () => {
    await using dir = await TempDir.open();
    const clock = new FakeClock("2026-03-01T12:00:00Z");
    await using audit = await open(dir, clock);
    await issueBatch(audit);
    await clock.advance(3_600_000);
    await audit.intent({ action: "authority.activate" });
    const find = async (filter: Parameters<typeof queryAudit>[1]): Promise<string[]> => {
      const found = await Array.fromAsync(queryAudit(dir.path, filter));
      return found.map(({ record }) => record.action);
    };
    assert.deepEqual(await find({ subjectId: "spiffe://a.test/two" }), ["svid.x509.issue"]);
    assert.deepEqual(await find({ subjectId: "spiffe://a.test/spire/agent/x" }), [
      "svid.x509.issue",
    ]);
    assert.deepEqual(await find({ action: "agent" }), ["agent.ban"]);
    assert.deepEqual(await find({ action: "age" }), []);
    assert.deepEqual(await find({ since: new Date("2026-03-01T12:30:00Z") }), [
      "authority.activate",
    ]);
    assert.equal((await find({ fromSeq: 3, limit: 2 })).length, 2);
  });
});

describe("queryNewest", () => {
  it("finds the newest that match, oldest first, over segments", async () => {
    await using dir = await TempDir.open();
    await using audit = await open(dir, new FakeClock(), 2000);
    for (let n = 0; n < 40; n++) {
      await audit.intent({ action: n % 2 === 0 ? "even.number" : "odd.number", resource: `${n}` });
    }
    const find = async (filter: Parameters<typeof queryNewest>[1]) => {
      const found = await queryNewest(dir.path, filter);
      return found.map(({ record }) => record.resource);
    };
    assert.deepEqual(await find({ limit: 3 }), ["37", "38", "39"]);
    assert.deepEqual(await find({ limit: 3, action: "even" }), ["34", "36", "38"]);
    assert.equal((await find({ limit: 1000, action: "odd" })).length, 20);
    const [newest] = await queryNewest(dir.path, { limit: 1 });
    const fromSeq = (newest?.line.seq ?? 0) - 1;
    assert.deepEqual(await find({ limit: 1000, fromSeq }), ["38", "39"]);
  });
});
