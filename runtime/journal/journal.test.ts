import assert from "node:assert/strict";
import { appendFile, readdir, readFile, stat, truncate, writeFile } from "node:fs/promises";
import { describe, it } from "node:test";
import { FakeClock } from "../../test/fakes/fake-clock.ts";
import { TempDir } from "../../test/support/temp-dir.ts";
import { Journal, type JournalOptions, JournalUnwritableError } from "./journal.ts";
import { readFields } from "./line.ts";
import { type OpenSegmentFile, openSegmentFile } from "./segment.ts";
import { readJournal, verifyJournal } from "./verify.ts";

const body = (fields: object): string => JSON.stringify(fields);

function open(dir: TempDir, options: Partial<JournalOptions> = {}): Promise<Journal> {
  return Journal.open({ directory: dir.join("journal"), clock: new FakeClock(), ...options });
}

async function read(dir: TempDir): Promise<unknown[]> {
  const lines = await Array.fromAsync(readJournal(dir.join("journal")));
  return lines.map((line) => {
    const { seq, prev, ...fields } = readFields(line) ?? {};
    return fields;
  });
}

async function findings(dir: TempDir): Promise<readonly string[]> {
  return (await verifyJournal(dir.join("journal"))).findings.map(({ message }) => message);
}

describe("Journal", () => {
  it("keeps lines in the order given, waited for or not", async () => {
    await using dir = await TempDir.open();
    await using journal = await open(dir);
    journal.enqueue(body({ n: 1 }));
    const second = journal.append(body({ n: 2 }));
    journal.enqueue(body({ n: 3 }));
    assert.equal((await second).seq, 2);
    await journal.flush();
    assert.deepEqual(await read(dir), [{ n: 1 }, { n: 2 }, { n: 3 }]);
    assert.equal(journal.head.seq, 3);
    assert.deepEqual(await findings(dir), []);
  });

  /** How many lines each write had. */
  function countWrites(): { readonly writes: number[]; readonly openFile: OpenSegmentFile } {
    const writes: number[] = [];
    const openFile: OpenSegmentFile = async (path) => {
      const file = await openSegmentFile(path);
      const write = file.write.bind(file);
      file.write = (bytes, offset) => {
        writes.push(Buffer.from(bytes).toString().split("\n").length - 1);
        return write(bytes, offset);
      };
      return file;
    };
    return { writes, openFile };
  }

  it("takes a line that nobody waits for along with the next that somebody does", async () => {
    await using dir = await TempDir.open();
    const { writes, openFile } = countWrites();
    await using journal = await open(dir, { openFile });
    await journal.append(body({ n: 1 }));
    journal.enqueue(body({ n: 2 }));
    await new Promise(setImmediate);
    assert.deepEqual(writes, [1]);
    await journal.append(body({ n: 3 }));
    assert.deepEqual(writes, [1, 2]);
    assert.deepEqual(await read(dir), [{ n: 1 }, { n: 2 }, { n: 3 }]);
  });

  it("writes a line that nobody waits for by itself after a moment", async () => {
    await using dir = await TempDir.open();
    const clock = new FakeClock();
    const { writes, openFile } = countWrites();
    await using journal = await open(dir, { clock, openFile });
    journal.enqueue(body({ n: 1 }));
    journal.enqueue(body({ n: 2 }));
    await clock.advance(19);
    assert.deepEqual(writes, []);
    await clock.advance(1);
    assert.deepEqual(writes, [2]);
  });

  it("flushes what was given so far, however many lines keep coming", async () => {
    await using dir = await TempDir.open();
    let isFlushed = false;
    let behind = 0;
    const openFile: OpenSegmentFile = async (path) => {
      const file = await openSegmentFile(path);
      const write = file.write.bind(file);
      file.write = (bytes, offset) => {
        // Somebody waits for another line by the time that this one is written.
        if (!isFlushed && behind < 50) {
          behind += 1;
          void journal.append(body({ behind }));
        }
        return write(bytes, offset);
      };
      return file;
    };
    await using journal = await open(dir, { openFile });
    void journal.append(body({ n: 1 }));
    await journal.flush();
    isFlushed = true;
    assert.ok(behind < 5, `waited for ${behind} lines that came later`);
  });

  it("writes lines that nobody waits for when it is closed", async () => {
    await using dir = await TempDir.open();
    {
      await using journal = await open(dir);
      journal.enqueue(body({ n: 1 }));
    }
    assert.deepEqual(await read(dir), [{ n: 1 }]);
  });

  it("writes in one step whatever gathered during the step before", async () => {
    await using dir = await TempDir.open();
    const { writes, openFile } = countWrites();
    await using journal = await open(dir, { openFile });
    const first = journal.append(body({ n: 1 }));
    await new Promise(setImmediate);
    const others = Array.from({ length: 500 }, (_, n) => journal.append(body({ n })));
    await Promise.all([first, ...others]);
    assert.deepEqual(writes, [1, 500]);
  });

  it("writes in one step whatever one turn of the event loop brings", async () => {
    await using dir = await TempDir.open();
    const { writes, openFile } = countWrites();
    await using journal = await open(dir, { openFile });
    const given: Promise<unknown>[] = [];
    for (let n = 0; n < 4; n++) {
      given.push(journal.append(body({ n })));
      await Promise.resolve();
    }
    await Promise.all(given);
    assert.deepEqual(writes, [4]);
  });

  it("goes on where it ended, over several segments", async () => {
    await using dir = await TempDir.open();
    for (let run = 0; run < 3; run++) {
      await using journal = await open(dir, { maxSegmentBytes: 300 });
      for (let n = 0; n < 4; n++) await journal.append(body({ run, n }));
    }
    const result = await verifyJournal(dir.join("journal"));
    assert.deepEqual(result.findings, []);
    assert.equal(result.lines, 12);
    assert.equal(result.end.seq, 12);
    assert.ok((await readdir(dir.join("journal"))).length > 2);
  });

  it("reads from a line on without looking at older segments", async () => {
    await using dir = await TempDir.open();
    await using journal = await open(dir, { maxSegmentBytes: 300 });
    for (let n = 1; n <= 12; n++) await journal.append(body({ n }));
    const lines = await Array.fromAsync(readJournal(dir.join("journal"), 8));
    assert.deepEqual(
      lines.map(({ seq }) => seq),
      [8, 9, 10, 11, 12],
    );
  });

  it("keeps files to its own user", async () => {
    await using dir = await TempDir.open();
    await using journal = await open(dir);
    await journal.append(body({ n: 1 }));
    const [name = ""] = await readdir(dir.join("journal"));
    assert.equal((await stat(dir.join("journal"))).mode & 0o777, 0o700);
    assert.equal((await stat(dir.join("journal", name))).mode & 0o777, 0o600);
  });

  it("puts a line that was cut off aside and says so", async () => {
    await using dir = await TempDir.open();
    {
      await using journal = await open(dir);
      await journal.append(body({ n: 1 }));
      await journal.append(body({ n: 2 }));
    }
    const [name = ""] = await readdir(dir.join("journal"));
    const path = dir.join("journal", name);
    await truncate(path, (await stat(path)).size - 5);
    await using journal = await open(dir);
    assert.ok(journal.cut !== undefined && journal.cut.bytes > 50);
    assert.match(await readFile(journal.cut.path, "utf8"), /^\{"seq":2,/);
    await journal.append(body({ n: 3 }));
    assert.deepEqual(await read(dir), [{ n: 1 }, { n: 3 }]);
    assert.deepEqual(await findings(dir), []);
  });

  const tails: readonly { readonly name: string; readonly bytes: string | Uint8Array }[] = [
    { name: "zeros and a part of a line after a power cut", bytes: Buffer.from('\0\0\0,"n":2}') },
    { name: "a line that does not follow", bytes: `{"seq":9,"prev":"${"0".repeat(64)}","n":9}\n` },
    { name: "text", bytes: "what is this\n" },
    { name: "a line without a prefix", bytes: '{"n":2}\n' },
  ];
  for (const { name, bytes } of tails) {
    it(`goes on before ${name}`, async () => {
      await using dir = await TempDir.open();
      {
        await using journal = await open(dir);
        await journal.append(body({ n: 1 }));
      }
      const [file = ""] = await readdir(dir.join("journal"));
      await appendFile(dir.join("journal", file), bytes);
      await using journal = await open(dir);
      assert.equal(journal.cut?.bytes, bytes.length);
      await journal.append(body({ n: 2 }));
      assert.deepEqual(await read(dir), [{ n: 1 }, { n: 2 }]);
      assert.deepEqual(await findings(dir), []);
    });
  }

  it("takes no notice of the room that a crash left behind the last line, and makes none when it is closed", async () => {
    await using dir = await TempDir.open();
    const journal = await open(dir);
    await journal.append(body({ n: 1 }));
    const [file = ""] = await readdir(dir.join("journal"));
    const path = dir.join("journal", file);
    const crashed = await readFile(path);
    assert.equal(crashed.length, 256 * 1024);
    assert.deepEqual(await read(dir), [{ n: 1 }]);
    assert.deepEqual(await findings(dir), []);
    await journal[Symbol.asyncDispose]();
    assert.equal((await readFile(path)).indexOf(0), -1);

    await writeFile(path, crashed);
    await using reopened = await open(dir);
    assert.equal(reopened.cut, undefined);
    await reopened.append(body({ n: 2 }));
    assert.deepEqual(await read(dir), [{ n: 1 }, { n: 2 }]);
    assert.deepEqual(await findings(dir), []);
  });

  it("cuts off a part of a line that a crash left in its room", async () => {
    await using dir = await TempDir.open();
    {
      await using journal = await open(dir);
      await journal.append(body({ n: 1 }));
    }
    const [file = ""] = await readdir(dir.join("journal"));
    await appendFile(dir.join("journal", file), `{"seq":2,"pr${"\0".repeat(5000)}`);
    await using journal = await open(dir);
    assert.equal(journal.cut?.bytes, 12);
    await journal.append(body({ n: 2 }));
    assert.deepEqual(await read(dir), [{ n: 1 }, { n: 2 }]);
  });

  it("goes on from an empty segment that a crash left at a rotation", async () => {
    await using dir = await TempDir.open();
    {
      await using journal = await open(dir);
      await journal.append(body({ n: 1 }));
    }
    await writeFile(dir.join("journal", "0000000000000002.jsonl"), "");
    await using journal = await open(dir);
    assert.equal((await journal.append(body({ n: 2 }))).seq, 2);
    assert.deepEqual(await findings(dir), []);
  });

  it("removes whole segments up to a line, never the one it writes to", async () => {
    await using dir = await TempDir.open();
    await using journal = await open(dir, { maxSegmentBytes: 300 });
    for (let n = 1; n <= 12; n++) await journal.append(body({ n }));
    const before = (await readdir(dir.join("journal"))).length;
    const gone = await journal.removeThrough(7);
    assert.ok(gone.length >= 1 && gone.length < before);
    const { findings, start } = await verifyJournal(dir.join("journal"));
    assert.deepEqual(findings, []);
    assert.ok(start.seq > 0 && start.seq <= 7);
    await journal.removeThrough(10_000);
    assert.equal((await readdir(dir.join("journal"))).length, 1);
    await journal.append(body({ n: 13 }));
  });

  for (let steps = 0; steps < 8; steps++) {
    it(`writes at once what somebody waits for, ${steps} steps after the write before`, async () => {
      await using dir = await TempDir.open();
      await using journal = await open(dir);
      await journal.append(body({ n: 1 }));
      for (let step = 0; step < steps; step++) await Promise.resolve();
      // Nobody moves the clock.
      assert.equal((await journal.append(body({ n: 2 }))).seq, 2);
      for (let step = 0; step < steps; step++) await Promise.resolve();
      journal.enqueue(body({ n: 3 }));
      await journal.flush();
      assert.equal(journal.head.seq, 3);
    });
  }

  it("makes room in the write that needs it, and more of it where writes are large", async () => {
    await using dir = await TempDir.open();
    await using file = await openSegmentFile(dir.join("segment"));
    const lines = Buffer.alloc(20_000, "x");
    for (let n = 0; n < 17; n++) await file.write(lines, n * lines.length);
    const content = await readFile(dir.join("segment"));
    assert.equal(content.length, 2 * 256 * 1024);
    assert.equal(content.indexOf(0), 340_000);
    await file.write(Buffer.alloc(2_000_000, "x"), 340_000);
    assert.equal((await stat(dir.join("segment"))).size, 13 * 256 * 1024);
  });

  it("keeps what was put aside when the same place is cut again", async () => {
    await using dir = await TempDir.open();
    const paths: string[] = [];
    for (const tail of ["first", "second", "third"]) {
      await using journal = await open(dir);
      const [file = ""] = (await readdir(dir.join("journal"))).filter((n) => n.endsWith(".jsonl"));
      await appendFile(dir.join("journal", file), tail);
      await using again = await open(dir);
      assert.deepEqual(journal.cut, undefined);
      paths.push(again.cut?.path ?? "");
    }
    const kept = await Promise.all(paths.map((path) => readFile(path, "utf8")));
    assert.deepEqual(kept, ["first", "second", "third"]);
  });

  it("goes on in the next segment when the one before cannot be closed", async () => {
    await using dir = await TempDir.open();
    let failures = 0;
    const openFile: OpenSegmentFile = async (path) => {
      const file = await openSegmentFile(path);
      const close = file[Symbol.asyncDispose].bind(file);
      file[Symbol.asyncDispose] = async () => {
        failures += 1;
        await close();
        // As if the room behind the lines could not be taken away.
        await truncate(path, 256 * 1024);
        throw new Error("EIO: i/o error");
      };
      return file;
    };
    const journal = await open(dir, { maxSegmentBytes: 50, openFile });
    for (let n = 1; n <= 3; n++) assert.equal((await journal.append(body({ n }))).seq, n);
    assert.equal(failures, 2);
    await assert.rejects(journal[Symbol.asyncDispose](), /EIO/);
    const [first = ""] = await readdir(dir.join("journal"));
    assert.equal((await stat(dir.join("journal", first))).size, 256 * 1024);
    assert.deepEqual(await read(dir), [{ n: 1 }, { n: 2 }, { n: 3 }]);
    assert.deepEqual(await findings(dir), []);
    await using reopened = await open(dir);
    assert.equal((await reopened.append(body({ n: 4 }))).seq, 4);
    assert.deepEqual(await findings(dir), []);
  });
});

describe("Journal on a disk that does not answer", () => {
  /** Opens files whose writes wait for `answer`. */
  function hang(): {
    readonly openFile: OpenSegmentFile;
    readonly asked: Promise<void>;
    readonly answer: () => void;
  } {
    const { promise: answered, resolve: answer } = Promise.withResolvers<void>();
    const { promise: asked, resolve: ask } = Promise.withResolvers<void>();
    const openFile: OpenSegmentFile = async (path) => {
      const file = await openSegmentFile(path);
      const write = file.write.bind(file);
      file.write = async (bytes, offset) => {
        ask();
        await answered;
        await write(bytes, offset);
      };
      return file;
    };
    return { openFile, asked, answer };
  }

  const recoveredBody: JournalOptions["recoveredBody"] = ({ refused, dropped }) =>
    body({ refused, dropped });

  async function writable(journal: Journal): Promise<void> {
    for await (const state of journal.state.subscribe(AbortSignal.timeout(5000))) {
      if (state.writable) return;
    }
    assert.fail("did not recover");
  }

  it("refuses who waits behind the write, and goes on when it comes back", async () => {
    await using dir = await TempDir.open();
    const clock = new FakeClock();
    const { openFile, asked, answer } = hang();
    await using journal = await open(dir, { clock, openFile, recoveredBody });
    const underWay = journal.append(body({ n: 1 }));
    await asked;
    const behind = assert.rejects(journal.append(body({ n: 2 })), /has not answered for 10 s/);
    journal.enqueue(body({ n: 3 }));
    await clock.advance(9999);
    assert.equal(journal.state.value.writable, true);
    await clock.advance(1);
    await behind;
    assert.equal(journal.state.value.writable, false);
    await assert.rejects(journal.append(body({ n: 4 })), JournalUnwritableError);
    await journal.flush();
    assert.equal(journal.head.seq, 0);

    answer();
    assert.equal((await underWay).seq, 1);
    await writable(journal);
    await journal.append(body({ n: 5 }));
    const outage = { refused: 2, dropped: 0 };
    assert.deepEqual(await read(dir), [{ n: 1 }, outage, { n: 3 }, { n: 5 }]);
    assert.deepEqual(await findings(dir), []);
  });

  it("holds no more lines than it was told meanwhile, and counts the others", async () => {
    await using dir = await TempDir.open();
    const { openFile, asked, answer } = hang();
    await using journal = await open(dir, { openFile, maxHeld: 3, recoveredBody });
    const underWay = journal.append(body({ n: 1 }));
    await asked;
    for (let n = 2; n <= 6; n++) journal.enqueue(body({ n }));
    await assert.rejects(journal.append(body({ n: 7 })), /3 lines wait for the disk/);
    answer();
    await underWay;
    await writable(journal);
    const outage = { refused: 1, dropped: 2 };
    assert.deepEqual(await read(dir), [{ n: 1 }, outage, { n: 2 }, { n: 3 }, { n: 4 }]);
    assert.deepEqual(await findings(dir), []);
  });

  it("writes all that it holds when it is closed", async () => {
    await using dir = await TempDir.open();
    const { openFile, asked, answer } = hang();
    const journal = await open(dir, { openFile, maxHeld: 3000, recoveredBody });
    const underWay = journal.append(body({ n: 0 }));
    await asked;
    for (let n = 1; n <= 3001; n++) journal.enqueue(body({ n }));
    const closed = journal[Symbol.asyncDispose]();
    answer();
    await underWay;
    await closed;
    const lines = await read(dir);
    assert.deepEqual(lines.slice(0, 2), [{ n: 0 }, { refused: 0, dropped: 1 }]);
    assert.deepEqual(lines.at(-1), { n: 3000 });
    assert.equal(lines.length, 3002);
  });

  it("is closed all the same after a while", async () => {
    await using dir = await TempDir.open();
    const clock = new FakeClock();
    const { openFile, asked, answer } = hang();
    const journal = await open(dir, { clock, openFile, recoveredBody });
    const underWay = journal.append(body({ n: 1 }));
    await asked;
    let isClosed = false;
    const closed = journal[Symbol.asyncDispose]().then(() => {
      isClosed = true;
    });
    await clock.advance(10_000);
    assert.equal(isClosed, false);
    await clock.whenSleeping();
    await clock.advance(5_000);
    await closed;
    answer();
    assert.equal((await underWay).seq, 1);
    await journal[Symbol.asyncDispose]();
    assert.deepEqual(await read(dir), [{ n: 1 }, { refused: 0, dropped: 0 }]);
  });

  it("tells of lines that were dropped while the end of an outage was written", async () => {
    await using dir = await TempDir.open();
    const { openFile, asked, answer } = hang();
    await using journal = await open(dir, { openFile, maxHeld: 2, recoveredBody });
    for (let n = 1; n <= 3; n++) journal.enqueue(body({ n }));
    await asked;
    for (let n = 4; n <= 6; n++) journal.enqueue(body({ n }));
    answer();
    await writable(journal);
    const [first, second] = [1, 1].map((dropped) => ({ refused: 0, dropped }));
    assert.deepEqual(await read(dir), [first, { n: 1 }, { n: 2 }, second, { n: 4 }, { n: 5 }]);
    assert.deepEqual(await findings(dir), []);
  });
});

describe("Journal on a full disk", () => {
  interface Disk {
    full: boolean;
  }

  function openOn(disk: Disk): OpenSegmentFile {
    return async (path) => {
      const file = await openSegmentFile(path);
      const write = file.write.bind(file);
      file.write = async (bytes, offset) => {
        if (!disk.full) return write(bytes, offset);
        // As a real one does: a part of it may have arrived.
        await write(bytes.subarray(0, 10), offset);
        throw Object.assign(new Error("ENOSPC: no space left on device"), { code: "ENOSPC" });
      };
      return file;
    };
  }

  /** Lets the journal try again until it can write. */
  async function recovery(journal: Journal, clock: FakeClock): Promise<void> {
    for await (const { writable } of journal.state.subscribe(AbortSignal.timeout(5000))) {
      if (writable) return;
      await clock.whenSleeping();
      await clock.advance(1000);
    }
    assert.fail("did not recover");
  }

  it("refuses who waits, holds the rest, and recovers when there is room", async () => {
    await using dir = await TempDir.open();
    const clock = new FakeClock("2026-03-01T12:00:00Z");
    const disk: Disk = { full: false };
    await using journal = await open(dir, {
      clock,
      openFile: openOn(disk),
      recoveredBody: ({ since, refused, dropped }) => body({ since, refused, dropped }),
    });
    await journal.append(body({ n: 1 }));
    disk.full = true;
    journal.enqueue(body({ n: 2 }));
    await assert.rejects(journal.append(body({ n: 3 })), (err) => {
      assert.ok(err instanceof JournalUnwritableError);
      assert.match(err.message, /no space left/);
      return true;
    });
    assert.equal(journal.state.value.writable, false);
    await assert.rejects(journal.append(body({ n: 4 })), JournalUnwritableError);
    journal.enqueue(body({ n: 5 }));

    await clock.whenSleeping();
    await clock.advance(1000);
    // The watch over writes that take too long, and the wait for the next attempt.
    await clock.whenSleeping(2);
    assert.equal(journal.state.value.writable, false);
    disk.full = false;
    await recovery(journal, clock);
    await journal.append(body({ n: 6 }));
    const outage = { since: "2026-03-01T12:00:00.000Z", refused: 2, dropped: 0 };
    assert.deepEqual(await read(dir), [{ n: 1 }, outage, { n: 2 }, { n: 5 }, { n: 6 }]);
    assert.deepEqual(await findings(dir), []);
  });

  it("holds no more lines than it was told, and counts the others", async () => {
    await using dir = await TempDir.open();
    const clock = new FakeClock();
    const disk: Disk = { full: true };
    await using journal = await open(dir, {
      clock,
      maxHeld: 3,
      openFile: openOn(disk),
      recoveredBody: ({ dropped }) => body({ dropped }),
    });
    for (let n = 1; n <= 3; n++) journal.enqueue(body({ n }));
    await journal.flush();
    await clock.whenSleeping();
    for (let n = 4; n <= 6; n++) journal.enqueue(body({ n }));
    disk.full = false;
    await recovery(journal, clock);
    assert.deepEqual(await read(dir), [{ dropped: 3 }, { n: 1 }, { n: 2 }, { n: 3 }]);
  });

  it("can be closed while the disk is full", async () => {
    await using dir = await TempDir.open();
    const clock = new FakeClock();
    const journal = await open(dir, { clock, openFile: openOn({ full: true }) });
    journal.enqueue(body({ n: 1 }));
    await journal.flush();
    await journal[Symbol.asyncDispose]();
    await journal[Symbol.asyncDispose]();
    await assert.rejects(journal.append(body({ n: 2 })), JournalUnwritableError);
  });
});
