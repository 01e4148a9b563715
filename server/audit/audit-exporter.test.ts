import assert from "node:assert/strict";
import { readFile, rename, rm, writeFile } from "node:fs/promises";
import { Writable } from "node:stream";
import { describe, it } from "node:test";
import { FakeClock } from "../../test/fakes/fake-clock.ts";
import { RecordingLog } from "../../test/fakes/recording-log.ts";
import { TempDir } from "../../test/support/temp-dir.ts";
import { MemoryKeyManager } from "../keymanager/memory-key-manager.ts";
import { AuditExporter } from "./audit-exporter.ts";
import { type AuditTarget, fileTarget, streamTarget } from "./audit-target.ts";
import { JournalAuditLog } from "./journal-audit-log.ts";
import { runAudit } from "./run-audit.ts";

const log = new RecordingLog();

async function open(dir: TempDir, maxSegmentBytes = 1_000_000): Promise<JournalAuditLog> {
  return JournalAuditLog.open({
    directory: dir.join("audit"),
    writer: "server/a",
    clock: new FakeClock("2026-03-01T00:00:00Z"),
    keys: new MemoryKeyManager(),
    log: log.log,
    maxSegmentBytes,
  });
}

function exporterOf(audit: JournalAuditLog, target: AuditTarget): Promise<AuditExporter> {
  return AuditExporter.open({ audit, target, clock: new FakeClock(), log: log.log });
}

async function seqs(path: string): Promise<readonly number[]> {
  const lines = (await readFile(path, "utf8")).trimEnd().split("\n");
  return lines.map((line) => JSON.parse(line).seq);
}

describe("AuditExporter", () => {
  it("copies each record once, over restarts and a file that was moved away", async () => {
    await using dir = await TempDir.open();
    const target = fileTarget(dir.join("export", "audit.jsonl"));
    for (let run = 0; run < 2; run++) {
      await using audit = await open(dir);
      const exporter = await exporterOf(audit, target);
      await audit.intent({ action: "a.b" });
      await exporter.exportNew();
      await exporter.exportNew();
    }
    assert.deepEqual(await seqs(dir.join("export", "audit.jsonl")), [1, 2, 3, 4, 5, 6, 7]);
    await rename(dir.join("export", "audit.jsonl"), dir.join("export", "old.jsonl"));
    await using audit = await open(dir);
    await (await exporterOf(audit, target)).exportNew();
    assert.equal((await seqs(dir.join("export", "audit.jsonl")))[0], 8);
  });

  it("writes the lines as they stand to a stream", async () => {
    await using dir = await TempDir.open();
    await using audit = await open(dir);
    let text = "";
    const stream = new Writable({
      write: (bytes: Buffer, _, done) => {
        text += bytes.toString();
        setImmediate(done);
      },
    });
    await (await exporterOf(audit, streamTarget(stream))).exportNew();
    const kept = await readFile(dir.join("audit", "0000000000000001.jsonl"), "utf8");
    assert.equal(text, kept.replace(/\0+$/, ""));
  });

  it("tells once of a target that fails, goes on trying, and loses nothing", async () => {
    await using dir = await TempDir.open();
    await using audit = await open(dir);
    const clock = new FakeClock();
    const recording = new RecordingLog();
    await writeFile(dir.join("blocked"), "");
    const target = fileTarget(dir.join("blocked", "audit.jsonl"));
    const exporter = await AuditExporter.open({ audit, target, clock, log: recording.log });
    const stop = new AbortController();
    const running = exporter.run(stop.signal);
    for (let second = 0; second < 3; second++) {
      await clock.whenSleeping();
      await clock.advance(1000);
    }
    await clock.whenSleeping();
    assert.deepEqual(recording.messages("error"), ["Audit records cannot be exported"]);
    await rm(dir.join("blocked"));
    await clock.advance(1000);
    await clock.whenSleeping();
    stop.abort();
    await running;
    assert.deepEqual(await seqs(dir.join("blocked", "audit.jsonl")), [1, 2]);
  });

  it("exports all again when it does not know how far it was", async () => {
    await using dir = await TempDir.open();
    await using audit = await open(dir);
    await writeFile(dir.join("audit", "exported.json"), "spoilt");
    assert.equal((await exporterOf(audit, fileTarget(dir.join("x")))).exportedSeq, 0);
  });

  it("keeps old segments until their records are exported", async () => {
    await using dir = await TempDir.open();
    await using audit = await open(dir, 2000);
    const clock = new FakeClock("2027-03-01T00:00:00Z");
    const stop = new AbortController();
    let isBlocked = true;
    const target: AuditTarget = {
      write: async () => {
        if (isBlocked) throw new Error("not now");
      },
    };
    const exporter = await AuditExporter.open({ audit, target, clock, log: log.log });
    for (let n = 0; n < 20; n++) await audit.intent({ action: "a.b" });
    const oldest = dir.join("audit", "0000000000000001.jsonl");
    const later = new Date("2026-03-02T00:00:00Z");
    assert.equal(await audit.removeOlderThan(later, exporter.exportedSeq), undefined);
    await readFile(oldest);
    isBlocked = false;
    const running = runAudit({ audit, clock, log: log.log, keepMs: 1000, exporter }, stop.signal);
    await clock.whenSleeping(2);
    await clock.advance(59_000);
    await clock.whenSleeping(2);
    await clock.advance(2000);
    await clock.whenSleeping(2);
    await assert.rejects(readFile(oldest), { code: "ENOENT" });
    stop.abort();
    await running;
  });
});
