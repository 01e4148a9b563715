import assert from "node:assert/strict";
import { generateKeyPairSync, sign } from "node:crypto";
import { readdir, readFile, rm, writeFile } from "node:fs/promises";
import { describe, it } from "node:test";
import { FakeClock } from "../../test/fakes/fake-clock.ts";
import { TempDir } from "../../test/support/temp-dir.ts";
import { checkpointBytes, verifyCheckpoint } from "./checkpoint.ts";
import { Journal } from "./journal.ts";
import { verifyJournal } from "./verify.ts";

/** A journal of 20 lines in segments of about 5; answers the paths of the segments. */
async function write(dir: TempDir): Promise<readonly string[]> {
  const clock = new FakeClock();
  await using journal = await Journal.open({ directory: dir.path, clock, maxSegmentBytes: 500 });
  for (let n = 1; n <= 20; n++) await journal.append(JSON.stringify({ n }));
  return (await readdir(dir.path)).sort().map((name) => dir.join(name));
}

async function edit(path: string | undefined, change: (lines: string[]) => void): Promise<void> {
  const lines = (await readFile(path ?? "", "utf8")).trimEnd().split("\n");
  change(lines);
  await writeFile(path ?? "", `${lines.join("\n")}\n`);
}

describe("verifyJournal", () => {
  it("finds nothing in a journal that nobody touched", async () => {
    await using dir = await TempDir.open();
    await write(dir);
    const { findings, lines, end } = await verifyJournal(dir.path);
    assert.deepEqual({ findings, lines, seq: end.seq }, { findings: [], lines: 20, seq: 20 });
  });

  it("finds a changed line", async () => {
    await using dir = await TempDir.open();
    const [, second] = await write(dir);
    await edit(second, (lines) => {
      lines[1] = lines[1]?.replace(/"n":(\d+)/, '"n":1$1') ?? "";
    });
    const { findings } = await verifyJournal(dir.path);
    assert.equal(findings.length, 1);
    assert.match(findings[0]?.message ?? "", /is not the one that line \d+ was written after/);
  });

  it("finds a line taken out of the middle, and a segment taken out", async () => {
    await using dir = await TempDir.open();
    const [first, , third] = await write(dir);
    await edit(first, (lines) => lines.splice(2, 1));
    await rm(third ?? "");
    const { findings } = await verifyJournal(dir.path);
    assert.deepEqual(
      findings.map(({ kind }) => kind),
      ["lines_missing", "lines_missing"],
    );
    assert.equal(findings[0]?.message, "lines 3 to 3 are missing");
  });

  it("finds lines in another order, and what is no line", async () => {
    await using dir = await TempDir.open();
    const [first, second] = await write(dir);
    await edit(first, (lines) => lines.splice(1, 2, lines[2] ?? "", lines[1] ?? ""));
    await edit(second, (lines) => lines.splice(1, 0, "not json", '{"seq":7}'));
    const kinds = (await verifyJournal(dir.path)).findings.map(({ kind }) => kind);
    assert.deepEqual(kinds, [
      "lines_missing",
      "chain_broken",
      "lines_missing",
      "not_a_line",
      "not_a_line",
    ]);
  });

  it("finds a segment whose end is cut off, unless it is the one being written", async () => {
    await using dir = await TempDir.open();
    const paths = await write(dir);
    for (const path of [paths[0] ?? "", paths.at(-1) ?? ""]) {
      await writeFile(path, (await readFile(path, "utf8")).slice(0, -3));
    }
    const kinds = (await verifyJournal(dir.path)).findings.map(({ kind }) => kind);
    assert.deepEqual(kinds, ["torn_line", "lines_missing"]);
  });

  it("finds that lines at the end are missing when somebody has kept a later head", async () => {
    await using dir = await TempDir.open();
    const last = (await write(dir)).at(-1);
    const { end } = await verifyJournal(dir.path);
    await edit(last, (lines) => lines.splice(-1));
    assert.deepEqual((await verifyJournal(dir.path)).findings, []);
    assert.deepEqual((await verifyJournal(dir.path, { heads: [end] })).findings, [
      {
        kind: "lines_missing",
        seq: 20,
        message: "lines 20 to 20 were witnessed and are missing at the end",
      },
    ]);
  });

  it("finds that the journal was written anew when somebody has kept a head", async () => {
    await using dir = await TempDir.open();
    await write(dir);
    const { findings } = await verifyJournal(dir.path, { heads: [{ seq: 9, hash: "ab" }] });
    assert.deepEqual(
      findings.map(({ kind, message }) => [kind, message]),
      [["head_contradicted", "line 9 is not the one that was witnessed"]],
    );
  });

  it("tells at most 100 findings", async () => {
    await using dir = await TempDir.open();
    await writeFile(dir.join("0000000000000001.jsonl"), "x\n".repeat(1000));
    assert.equal((await verifyJournal(dir.path)).findings.length, 100);
  });
});

describe("verifyCheckpoint", () => {
  it("takes what the writer signed and nothing else", () => {
    const { publicKey, privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
    const facts = {
      writer: "server/a",
      seq: 7,
      hash: "ab".repeat(32),
      time: new Date("2026-03-01T12:00:00Z"),
    };
    const signature = sign("sha256", checkpointBytes(facts), privateKey);
    const checkpoint = { ...facts, keyId: "k", signature };
    assert.equal(verifyCheckpoint(checkpoint, publicKey), true);
    assert.equal(verifyCheckpoint({ ...checkpoint, seq: 8 }, publicKey), false);
    assert.equal(verifyCheckpoint({ ...checkpoint, writer: "server/b" }, publicKey), false);
    assert.equal(verifyCheckpoint({ ...checkpoint, time: new Date(0) }, publicKey), false);
  });
});
