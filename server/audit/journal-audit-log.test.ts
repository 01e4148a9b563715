import assert from "node:assert/strict";
import { readdir, readFile, writeFile } from "node:fs/promises";
import { describe, it } from "node:test";
import { type AuditDraft, type AuditRecord, completeFacts } from "../../proto/audit/v1/record.ts";
import { Status, StatusError } from "../../runtime/errors/status-error.ts";
import { verifyCheckpoint } from "../../runtime/journal/checkpoint.ts";
import { type OpenSegmentFile, openSegmentFile } from "../../runtime/journal/segment.ts";

import { FakeClock } from "../../test/fakes/fake-clock.ts";
import { RecordingLog } from "../../test/fakes/recording-log.ts";
import { TempDir } from "../../test/support/temp-dir.ts";
import { MemoryKeyManager } from "../keymanager/memory-key-manager.ts";
import { type AuditLogDeps, JournalAuditLog } from "./journal-audit-log.ts";
import { queryAudit } from "./query-audit.ts";
import { runAudit } from "./run-audit.ts";
import { verifyAudit } from "./verify-audit.ts";

const log = new RecordingLog().log;
const issue: AuditDraft = { action: "svid.x509.issue", requestId: "r1" };

interface World extends AsyncDisposable {
  readonly dir: TempDir;
  readonly deps: AuditLogDeps;
  readonly clock: FakeClock;
}

async function world(options: Partial<AuditLogDeps> = {}): Promise<World> {
  const dir = await TempDir.open();
  const clock = new FakeClock("2026-03-01T12:00:00Z");
  const keys = new MemoryKeyManager();
  const deps = { directory: dir.path, writer: "server/a", clock, keys, log, ...options };
  return { dir, deps, clock, [Symbol.asyncDispose]: () => dir[Symbol.asyncDispose]() };
}

async function records({ dir }: World): Promise<AuditRecord[]> {
  const found = await Array.fromAsync(queryAudit(dir.path, {}));
  return found.map(({ record }) => record).filter(({ action }) => !action.startsWith("audit."));
}

describe("JournalAuditLog", () => {
  it("writes records with every field of the schema, null where nothing fills it", async () => {
    await using at = await world();
    await using audit = await JournalAuditLog.open(at.deps);
    await audit.intent(issue);
    const [record] = await records(at);
    assert.equal(record?.schema, "assay.audit.v1");
    assert.deepEqual(Object.keys(record ?? {}), [
      ...["seq", "prev", "schema", "writer", "time", "phase", "intent"],
      ...Object.keys(completeFacts(issue)),
    ]);
    assert.equal(record?.writer, "server/a");
    assert.equal(record?.time, "2026-03-01T12:00:00.000Z");
    assert.equal(record?.credential, null);
  });

  it("has an intent on disk when it resolves, and its outcome with the next group", async () => {
    await using at = await world();
    await using audit = await JournalAuditLog.open(at.deps);
    const ref = await audit.intent(issue);
    assert.deepEqual(
      (await records(at)).map(({ phase }) => phase),
      ["intent"],
    );
    audit.outcome(ref, { decision: "allow" });
    await audit.intent({ action: "agent.ban" });
    const [, outcome] = await records(at);
    assert.equal(outcome?.phase, "outcome");
    assert.equal(outcome?.intent, ref.seq);
    assert.equal(outcome?.requestId, "r1");
  });

  it("closes as unknown what was open when the server died, once", async () => {
    await using at = await world();
    {
      await using audit = await JournalAuditLog.open(at.deps);
      const done = await audit.intent(issue);
      await audit.intent({ ...issue, requestId: "r2" });
      audit.outcome(done, { decision: "allow" });
    }
    for (let start = 0; start < 2; start++) {
      await using _ = await JournalAuditLog.open(at.deps);
    }
    const closed = (await records(at)).filter(({ decision }) => decision === "unknown");
    assert.deepEqual(
      closed.map(({ requestId, reasonCode, phase }) => [requestId, reasonCode, phase]),
      [["r2", "server_stopped", "outcome"]],
    );
  });

  it("finds open intents before the last checkpoint and in older segments", async () => {
    await using at = await world({ maxSegmentBytes: 2000 });
    {
      await using audit = await JournalAuditLog.open(at.deps);
      await audit.intent({ ...issue, requestId: "stuck" });
      for (let n = 0; n < 20; n++) {
        audit.outcome(await audit.intent(issue), { decision: "allow" });
        await audit.checkpoint();
      }
    }
    assert.ok((await readdir(at.dir.path)).length > 5);
    await using _ = await JournalAuditLog.open(at.deps);
    const closed = (await records(at)).filter(({ decision }) => decision === "unknown");
    assert.deepEqual(
      closed.map(({ requestId }) => requestId),
      ["stuck"],
    );
  });

  it("records that it had to put a torn record aside", async () => {
    await using at = await world();
    {
      await using audit = await JournalAuditLog.open(at.deps);
      await audit.intent(issue);
    }
    const [name = ""] = await readdir(at.dir.path);
    const text = await readFile(at.dir.join(name), "utf8");
    await writeFile(at.dir.join(name), `${text}{"seq":99,"prev":"`);
    await using _ = await JournalAuditLog.open(at.deps);
    const starts = await Array.fromAsync(queryAudit(at.dir.path, { action: "audit.start" }));
    const cut = starts.at(-1)?.record.details?.["cut"];
    assert.ok(typeof cut === "object" && cut !== null && "bytes" in cut);
    assert.equal(cut.bytes, 18);
  });

  it("signs a checkpoint every minute, and records it only if something happened", async () => {
    await using at = await world();
    await using audit = await JournalAuditLog.open(at.deps);
    const stop = new AbortController();
    const running = runAudit({ audit, clock: at.clock, log }, stop.signal);
    const heads = audit.head.subscribe(stop.signal)[Symbol.asyncIterator]();
    const first = (await heads.next()).value;
    const second = heads.next();
    await at.clock.whenSleeping();
    await at.clock.advance(60_000);
    const idle = (await second).value;
    assert.deepEqual([idle?.seq, idle?.time], [first.seq + 1, new Date("2026-03-01T12:01:00Z")]);
    const { publicKey } = at.deps.keys.find("audit") ?? {};
    assert.ok(publicKey !== undefined && verifyCheckpoint(idle, publicKey));
    stop.abort();
    await running;
    const recorded = await Array.fromAsync(queryAudit(at.dir.path, { action: "audit.checkpoint" }));
    assert.equal(recorded.length, 1);
  });

  it("refuses intents while the disk is full, and tells of the outage afterwards", async () => {
    let full = false;
    const openFile: OpenSegmentFile = async (path) => {
      const file = await openSegmentFile(path);
      const write = file.write.bind(file);
      file.write = async (bytes, offset) => {
        if (full) throw new Error("ENOSPC: no space left on device");
        await write(bytes, offset);
      };
      return file;
    };
    await using at = await world({ openFile });
    await using audit = await JournalAuditLog.open(at.deps);
    full = true;
    await assert.rejects(audit.intent(issue), (err) => {
      assert.ok(err instanceof StatusError);
      assert.equal(err.code, Status.UNAVAILABLE);
      assert.equal(err.reason, "audit_unavailable");
      assert.equal(err.message, "the audit log cannot be written");
      return true;
    });
    audit.event({ action: "svid.x509.refuse" });
    assert.equal(audit.state.value.writable, false);
    full = false;
    for await (const { writable } of audit.state.subscribe(AbortSignal.timeout(5000))) {
      if (writable) break;
      await at.clock.whenSleeping();
      await at.clock.advance(1000);
    }
    await audit.intent(issue);
    const found = await Array.fromAsync(queryAudit(at.dir.path, {}));
    assert.deepEqual(
      found.slice(2).map(({ record }) => record.action),
      ["audit.recover", "svid.x509.refuse", "svid.x509.issue"],
    );
    assert.equal(found[2]?.record.details?.["refused"], 1);
    assert.deepEqual((await verifyAudit(at.dir.path)).findings, []);
  });
});

describe("verifyAudit", () => {
  async function write(at: World, intents: number): Promise<void> {
    await using audit = await JournalAuditLog.open(at.deps);
    for (let n = 0; n < intents; n++) {
      audit.outcome(await audit.intent(issue), { decision: "allow" });
    }
    await audit.checkpoint();
  }

  it("finds nothing wrong in a log that nobody touched, over restarts and segments", async () => {
    await using at = await world({ maxSegmentBytes: 4000 });
    for (let run = 0; run < 3; run++) await write(at, 10);
    const key = at.deps.keys.find("audit")?.publicKey;
    const result = await verifyAudit(at.dir.path, { trustedKeys: key === undefined ? [] : [key] });
    assert.deepEqual(result.findings, []);
    assert.deepEqual([result.checkpoints, result.selfVouched], [6, 0]);
    assert.equal(result.records, result.lastSeq);
  });

  it("finds that the last 50 records are missing, by a witnessed checkpoint", async () => {
    await using at = await world();
    await using audit = await JournalAuditLog.open(at.deps);
    for (let n = 0; n < 60; n++) await audit.intent(issue);
    const witnessed = await audit.checkpoint();
    const [name = ""] = await readdir(at.dir.path);
    const lines = (await readFile(at.dir.join(name), "utf8")).trimEnd().split("\n");
    await writeFile(at.dir.join(name), `${lines.slice(0, witnessed.seq - 50).join("\n")}\n`);
    assert.deepEqual((await verifyAudit(at.dir.path)).findings, []);
    const { findings } = await verifyAudit(at.dir.path, { witnessed: [witnessed] });
    const [from, to] = [witnessed.seq - 49, witnessed.seq];
    assert.deepEqual(
      findings.map(({ message }) => message),
      [`lines ${from} to ${to} were witnessed and are missing at the end`],
    );
  });

  it("finds a checkpoint that another key signed", async () => {
    await using at = await world();
    await write(at, 2);
    const other = new MemoryKeyManager();
    const forged = await world({ keys: other });
    await write(forged, 2);
    const [name = ""] = await readdir(at.dir.path);
    const own = (await readFile(at.dir.join(name), "utf8")).trimEnd().split("\n");
    const foreign = (await readFile(forged.dir.join(name), "utf8")).trimEnd().split("\n");
    const signature = /"signature":"[^"]*"/;
    const last = own.length - 1;
    own[last] = own[last]?.replace(signature, signature.exec(foreign[last] ?? "")?.[0] ?? "") ?? "";
    await writeFile(at.dir.join(name), `${own.join("\n")}\n`);
    const { findings } = await verifyAudit(at.dir.path);
    assert.equal(findings[0]?.message, `line ${own.length} is a checkpoint with a wrong signature`);
    await forged[Symbol.asyncDispose]();
  });

  it("takes segments that the server removed as removed, and no others", async () => {
    await using at = await world({ maxSegmentBytes: 4000 });
    await write(at, 10);
    await at.clock.advance(86_400_000);
    {
      await using audit = await JournalAuditLog.open(at.deps);
      for (let n = 0; n < 10; n++) await audit.intent(issue);
      const removal = await audit.removeOlderThan(new Date("2026-03-02T00:00:00Z"));
      assert.ok(removal !== undefined && removal.throughSeq > 10);
    }
    const result = await verifyAudit(at.dir.path);
    assert.deepEqual(result.findings, []);
    assert.ok(result.firstSeq > 10);
    const [oldest = ""] = (await readdir(at.dir.path)).sort();
    await writeFile(at.dir.join(oldest), "");
    assert.match(
      (await verifyAudit(at.dir.path)).findings[0]?.message ?? "",
      /^lines 1 to \d+ are missing, and no record says/,
    );
  });
});
