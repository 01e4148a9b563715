import assert from "node:assert/strict";
import { readdir, utimes } from "node:fs/promises";
import { join } from "node:path";
import { describe, it } from "node:test";
import type { AuditDraft } from "../../proto/audit/v1/record.ts";
import { StatusError } from "../../runtime/errors/status-error.ts";
import { GENESIS, type JournalPosition, renderLine } from "../../runtime/journal/line.ts";
import { verifyJournal } from "../../runtime/journal/verify.ts";
import { RecordingLog } from "../../test/fakes/recording-log.ts";
import { TempDir } from "../../test/support/temp-dir.ts";
import { AgentArchive } from "./agent-archive.ts";

const AGENT = "spiffe://example.test/spire/agent/x509pop/node";

/** Lines of an agent's chain, as the agent writes them. */
class AgentChain {
  readonly #lines: Uint8Array[] = [];
  #head: JournalPosition = GENESIS;
  readonly #mark: string;

  constructor(mark = "a") {
    this.#mark = mark;
  }

  grow(count: number): this {
    for (let i = 0; i < count; i++) {
      const line = renderLine(this.#head, `{"mark":"${this.#mark}"}`);
      this.#head = line;
      this.#lines.push(Buffer.from(line.text));
    }
    return this;
  }

  lines(from: number, to: number): readonly Uint8Array[] {
    return this.#lines.slice(from - 1, to);
  }
}

const open = (dir: TempDir) => {
  const events: AuditDraft[] = [];
  const archive = new AgentArchive({
    directory: dir.join("agents"),
    audit: {
      event: (draft) => events.push(draft),
      intent: async (draft) => {
        events.push(draft);
        return { seq: events.length, action: draft.action, requestId: null };
      },
      outcome: () => {},
    },
    log: new RecordingLog().log,
    maxSegmentBytes: 1000,
  });
  return { archive, events };
};

describe("AgentArchive", () => {
  it("keeps a chain over restarts, in files that verify", async () => {
    await using dir = await TempDir.open();
    const chain = new AgentChain().grow(40);
    assert.equal(await open(dir).archive.append(AGENT, chain.lines(1, 15)), 15);
    const { archive, events } = open(dir);
    assert.equal(await archive.append(AGENT, chain.lines(16, 30)), 30);
    assert.equal(await archive.append(AGENT, chain.lines(31, 40)), 40);
    const folder = dir.join("agents", "x509pop~node", "1");
    const { findings, end, lines } = await verifyJournal(folder);
    assert.deepEqual([findings, end.seq, lines, events], [[], 40, 40, []]);
    assert.ok((await readdir(folder)).length > 1, "more than one segment");
  });

  it("passes over what it has already", async () => {
    await using dir = await TempDir.open();
    const chain = new AgentChain().grow(10);
    const { archive, events } = open(dir);
    await archive.append(AGENT, chain.lines(1, 6));
    assert.equal(await archive.append(AGENT, chain.lines(4, 8)), 8);
    assert.equal(await archive.append(AGENT, chain.lines(8, 8)), 8);
    assert.equal(await archive.append(AGENT, chain.lines(2, 3)), 8);
    assert.equal(await archive.append(AGENT, []), 8);
    assert.deepEqual(events, []);
    assert.equal((await verifyJournal(dir.join("agents", "x509pop~node", "1"))).lines, 8);
  });

  it("serves calls for one agent one after another", async () => {
    await using dir = await TempDir.open();
    const chain = new AgentChain().grow(30);
    const { archive, events } = open(dir);
    const appended = await Promise.all(
      [10, 20, 30].map((to) => archive.append(AGENT, chain.lines(to - 9, to))),
    );
    assert.deepEqual([appended, events], [[10, 20, 30], []]);
    assert.equal((await verifyJournal(dir.join("agents", "x509pop~node", "1"))).lines, 30);
  });

  it("takes up a chain whose beginning the agent has removed", async () => {
    await using dir = await TempDir.open();
    const { archive, events } = open(dir);
    assert.equal(await archive.append(AGENT, new AgentChain().grow(10).lines(7, 10)), 10);
    assert.deepEqual(events, []);
  });

  const breaks: readonly { name: string; lines: readonly Uint8Array[] }[] = [
    { name: "begins anew", lines: new AgentChain("b").grow(2).lines(1, 2) },
    { name: "has a gap", lines: new AgentChain().grow(9).lines(8, 9) },
    { name: "was rewritten", lines: new AgentChain("b").grow(9).lines(5, 9) },
    {
      name: "was rewritten up to where it was known",
      lines: new AgentChain("b").grow(5).lines(5, 5),
    },
  ];
  for (const { name, lines } of breaks) {
    it(`keeps a chain that ${name} apart, and records it`, async () => {
      await using dir = await TempDir.open();
      const { archive, events } = open(dir);
      await archive.append(AGENT, new AgentChain().grow(5).lines(1, 5));
      await archive.append(AGENT, lines);
      assert.deepEqual(
        events.map(({ action, reasonCode, subject }) => [action, reasonCode, subject?.id]),
        [["audit.agent_chain_break", "chain_broken", AGENT]],
      );
      assert.deepEqual(await archive.list(), [{ agent: "x509pop~node", chains: ["1", "2"] }]);
      assert.equal((await verifyJournal(dir.join("agents", "x509pop~node", "1"))).lines, 5);
      const second = await verifyJournal(dir.join("agents", "x509pop~node", "2"));
      assert.deepEqual([second.findings, second.lines], [[], lines.length]);
    });
  }

  const hostile: readonly { name: string; lines: readonly Uint8Array[]; message: string }[] = [
    {
      name: "what is no line",
      lines: [Buffer.from("{}")],
      message: "lines[0]: is no line of an audit log",
    },
    {
      name: "two lines in one",
      lines: [Buffer.from(`${renderLine(GENESIS, '{"a":1}').text}\n{}`)],
      message: "lines[0]: is no line of an audit log",
    },
    {
      name: "lines that do not follow each other",
      lines: [
        ...new AgentChain("a").grow(1).lines(1, 1),
        ...new AgentChain("b").grow(2).lines(2, 2),
      ],
      message: "lines[1]: does not continue the line before it",
    },
    {
      name: "a line of more than 1 MiB",
      lines: [Buffer.from(renderLine(GENESIS, `{"a":"${"x".repeat(1_048_576)}"}`).text)],
      message: "lines[0]: is no line of an audit log",
    },
  ];
  for (const { name, lines, message } of hostile) {
    it(`refuses ${name}`, async () => {
      await using dir = await TempDir.open();
      await assert.rejects(open(dir).archive.append(AGENT, lines), (err) => {
        assert.ok(err instanceof StatusError);
        assert.equal(err.message, message);
        return true;
      });
      assert.deepEqual(await open(dir).archive.list(), []);
    });
  }

  it("removes files that are old enough, and goes on with an agent whose records were", async () => {
    await using dir = await TempDir.open();
    const { archive, events } = open(dir);
    const chain = new AgentChain().grow(60);
    for (let at = 1; at <= 36; at += 5) await archive.append(AGENT, chain.lines(at, at + 4));
    const folder = dir.join("agents", "x509pop~node", "1");
    const files = (await readdir(folder)).sort();
    assert.ok(files.length >= 3);
    const [oldest = ""] = files;
    const longAgo = new Date("2020-01-01T00:00:00Z");
    await utimes(join(folder, oldest), longAgo, longAgo);
    await archive.removeOlderThan(new Date("2021-01-01T00:00:00Z"));
    assert.deepEqual((await readdir(folder)).sort(), files.slice(1));
    assert.deepEqual(
      events.map(({ action, details }) => [action, details]),
      [["audit.agent_chain_remove", { agent: "x509pop~node", chain: "1", files: 1 }]],
    );

    await archive.removeOlderThan(new Date("2100-01-01T00:00:00Z"));
    assert.deepEqual(await readdir(dir.join("agents")), []);
    assert.equal(await archive.append(AGENT, chain.lines(41, 45)), 45);
    assert.equal((await verifyJournal(folder)).lines, 5);
  });
});
