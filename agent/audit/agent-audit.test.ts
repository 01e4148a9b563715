import assert from "node:assert/strict";
import { readdir } from "node:fs/promises";
import { describe, it } from "node:test";
import { create } from "@bufbuild/protobuf";
import { AuditHeadSchema } from "../../proto/gen/assay/sync/v1/sync_pb.ts";
import { verifyJournal } from "../../runtime/journal/verify.ts";
import { FakeClock } from "../../test/fakes/fake-clock.ts";
import { RecordingLog } from "../../test/fakes/recording-log.ts";
import { eventually } from "../../test/support/eventually.ts";
import { TempDir } from "../../test/support/temp-dir.ts";
import { IdentityHolder } from "../identity/identity-holder.ts";
import { AgentAudit } from "./agent-audit.ts";
import { AuditWitness } from "./audit-witness.ts";
import { RepeatFilter } from "./repeat-filter.ts";

const openAudit = (dir: TempDir, maxBytes = 64 * 1024 * 1024) =>
  AgentAudit.open({
    directory: dir.join("audit"),
    maxBytes,
    identity: new IdentityHolder({ identity: undefined, verdict: undefined }),
    clock: new FakeClock(),
    log: new RecordingLog().log,
  });

const seqOf = (line: Uint8Array | undefined): number =>
  JSON.parse(String(Buffer.from(line ?? []))).seq;

describe("AgentAudit", () => {
  it("gives what the server lacks in order, in shipments of a bounded size", async () => {
    await using dir = await TempDir.open();
    await using audit = await openAudit(dir);
    assert.equal(await audit.next(1000), undefined);
    for (let i = 0; i < 5; i++) audit.record({ action: "workload.refuse" });
    const first = await audit.next(1000);
    assert.ok(first !== undefined && first.lines.length < 5);
    assert.equal(first.firstSeq, 1);
    await audit.confirm(first.lines.length);
    const second = await audit.next(100_000);
    assert.equal(seqOf(second?.lines[0]), first.lines.length + 1);
    await audit.confirm(5);
    assert.equal(await audit.next(1000), undefined);
  });

  it("continues one chain over restarts, and sends again what has no receipt", async () => {
    await using dir = await TempDir.open();
    for (let i = 0; i < 2; i++) {
      await using audit = await openAudit(dir);
      audit.record({ action: "workload.refuse" });
    }
    await using audit = await openAudit(dir);
    assert.equal((await audit.next(100_000))?.lines.length, 2);
    const { findings, lines } = await verifyJournal(dir.join("audit"));
    assert.deepEqual([findings, lines], [[], 2]);
  });

  it("removes files that the server has whole", async () => {
    await using dir = await TempDir.open();
    await using audit = await openAudit(dir);
    const details = { text: "x".repeat(100_000) };
    for (let i = 0; i < 30; i++) {
      audit.record({ action: "workload.refuse", details });
      await audit.next(1);
    }
    const before = (await readdir(dir.join("audit"))).length;
    assert.ok(before > 1);
    await audit.confirm(30);
    assert.equal((await readdir(dir.join("audit"))).length, 1);
  });

  it("gives up the oldest records when no server takes them and there is no more room", async () => {
    await using dir = await TempDir.open();
    await using audit = await openAudit(dir, 3 * 1024 * 1024);
    const details = { text: "x".repeat(100_000) };
    for (let i = 0; i < 60; i++) {
      audit.record({ action: "workload.refuse", details });
      await audit.next(1);
    }
    await eventually("room", () => audit.lost > 0 || undefined);
    await eventually("files to go", async () =>
      (await readdir(dir.join("audit"))).length <= 4 ? true : undefined,
    );
    const rest = await audit.next(100_000_000);
    assert.equal(rest?.firstSeq, audit.lost + 1);
    assert.equal(seqOf(rest?.lines.at(-1)), 60);
  });

  it("takes no word of the server for more than there is", async () => {
    await using dir = await TempDir.open();
    await using audit = await openAudit(dir);
    audit.record({ action: "workload.refuse" });
    await audit.next(1);
    await audit.confirm(1_000);
    audit.record({ action: "workload.refuse" });
    assert.equal((await audit.next(100_000))?.firstSeq, 2);
  });
});

describe("RepeatFilter", () => {
  it("lets one through a minute, and says how many it held back", async () => {
    const clock = new FakeClock();
    const filter = new RepeatFilter(clock);
    assert.deepEqual(
      [filter.admit("a"), filter.admit("a"), filter.admit("a"), filter.admit("b")],
      [0, undefined, undefined, 0],
    );
    await clock.advance(60_000);
    assert.equal(filter.admit("a"), 2);
  });

  it("does not grow with the number of callers", () => {
    const filter = new RepeatFilter(new FakeClock());
    for (let i = 0; i < 10_000; i++) filter.admit(String(i));
    assert.equal(filter.admit("0"), 0, "forgotten, so recorded again");
    assert.equal(filter.admit("9999"), undefined);
  });
});

describe("AuditWitness", () => {
  const head = (seq: bigint, mark = 1, writer = "server/1") =>
    create(AuditHeadSchema, { writer, seq, hash: new Uint8Array(32).fill(mark) });

  it("keeps the newest of each server, and reports that of the one that spoke last", () => {
    const witness = new AuditWitness(new RecordingLog().log, []);
    assert.deepEqual(witness.seen, []);
    witness.see(head(5n));
    witness.see(head(9n, 2, "server/2"));
    assert.equal(witness.newest?.writer, "server/2");
    witness.see(head(7n));
    assert.deepEqual(
      witness.seen.map(({ writer, seq }) => [writer, seq]),
      [
        ["server/1", 7n],
        ["server/2", 9n],
      ],
    );
  });

  const contradictions = [
    ["goes back", head(6n)],
    ["has another line at the same place", head(7n, 3)],
  ] as const;
  for (const [name, later] of contradictions) {
    it(`holds on to what it saw when the log ${name}, and raises an alarm`, () => {
      const recording = new RecordingLog();
      const witness = new AuditWitness(recording.log, [head(7n)]);
      witness.see(later);
      assert.deepEqual([witness.newest?.seq, witness.newest?.hash[0]], [7n, 1]);
      assert.equal(recording.messages("error").length, 1);
    });
  }
});
