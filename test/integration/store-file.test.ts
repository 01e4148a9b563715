// What happens when the store's file is not as it should be: in use, full, damaged, too new.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { open, writeFile } from "node:fs/promises";
import { createInterface } from "node:readline";
import { describe, it } from "node:test";
import Database from "better-sqlite3";
import { Status } from "../../runtime/errors/status-error.ts";
import { newEntry } from "../support/entries.ts";
import { openSqliteStore } from "../support/open-store.ts";
import { TempDir } from "../support/temp-dir.ts";

const WRITER = new URL("../support/store-writer.ts", import.meta.url).pathname;
const NOW = 1_772_366_400;

describe("SqliteStore, in use", () => {
  it("is refused to a second process, which hears who holds it", async () => {
    await using dir = await TempDir.open();
    const path = dir.join("store.db");
    const child = spawn(process.execPath, [WRITER, path, "a"], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    const exited = once(child, "exit");
    try {
      for await (const line of createInterface({ input: child.stdout })) if (line === "open") break;
      await assert.rejects(openSqliteStore(path), {
        code: Status.FAILED_PRECONDITION,
        reason: "store_in_use",
        message:
          `the store ${path} is in use by process ${child.pid}: ` +
          "one server owns a SQLite store; stop that one first",
      });
    } finally {
      child.kill("SIGKILL");
      await exited;
    }
  });

  it("is refused to the same process a second time", async () => {
    await using dir = await TempDir.open();
    const path = dir.join("store.db");
    await using store = await openSqliteStore(path);
    await assert.rejects(openSqliteStore(path), { reason: "store_in_use" });
    await store.write("putSetting", { key: "a", value: "still works" });
  });
});

describe("SqliteStore, full", () => {
  it("refuses writes, says that it is full, reads on, and recovers", async () => {
    await using dir = await TempDir.open();
    await using store = await openSqliteStore(dir.join("store.db"), { maxBytes: 600_000 });
    const seen: bigint[] = [];
    using _ = store.onCommit((commit) => seen.push(commit.revision));
    let made = 0;
    const fill = async (): Promise<void> => {
      for (;;) {
        const entries = Array.from({ length: 50 }, (_, index) => newEntry(`e${made + index}`));
        await store.write("createEntries", { entries, now: NOW, actor: "test" });
        made += 50;
      }
    };
    await assert.rejects(fill(), {
      code: Status.RESOURCE_EXHAUSTED,
      reason: "store_full",
      message: "the store is full: its disk or its size limit",
    });
    assert.equal(store.fault?.reason, "store_full");
    assert.ok(made > 0);
    assert.equal(await store.read("countEntries", { filter: {} }), made);
    assert.equal(store.revision, BigInt(seen.length));
    const ids = Array.from({ length: made }, (_, index) => `e${index}`);
    await store.write("deleteEntries", { ids: ids.slice(0, 50) });
    assert.equal(store.fault, undefined);
    assert.equal(await store.read("countEntries", { filter: {} }), made - 50);
  });
});

describe("SqliteStore, damaged", () => {
  async function refuse(path: string): Promise<void> {
    await assert.rejects(openSqliteStore(path), {
      code: Status.FAILED_PRECONDITION,
      reason: "store_corrupt",
      message:
        `the store ${path} is damaged or no store at all: put a backup in its place with ` +
        "`assay server restore`, see docs/operations/store.md",
    });
  }

  it("refuses a file that is no database", async () => {
    await using dir = await TempDir.open();
    const path = dir.join("store.db");
    await writeFile(path, "not a database, but long enough to have a header ".repeat(100));
    await refuse(path);
  });

  it("refuses a database whose pages are overwritten", async () => {
    await using dir = await TempDir.open();
    const path = dir.join("store.db");
    {
      await using store = await openSqliteStore(path);
      const entries = Array.from({ length: 200 }, (_, index) => newEntry(`e${index}`));
      await store.write("createEntries", { entries, now: NOW, actor: "test" });
    }
    {
      await using file = await open(path, "r+");
      const { size } = await file.stat();
      for (let page = 1; page < size / 4096; page += 1) {
        await file.write(Buffer.alloc(64, 0xff), 0, 64, page * 4096);
      }
    }
    await refuse(path);
  });

  it("can be opened again after it was refused", async () => {
    await using dir = await TempDir.open();
    const path = dir.join("store.db");
    await writeFile(path, "x".repeat(5000));
    await refuse(path);
    await writeFile(path, "");
    await using store = await openSqliteStore(path);
    assert.equal(store.revision, 0n);
  });
});

describe("SqliteStore, too new", () => {
  it("refuses a store that a newer release has written, and leaves it as it is", async () => {
    await using dir = await TempDir.open();
    const path = dir.join("store.db");
    await (await openSqliteStore(path))[Symbol.asyncDispose]();
    const file = new Database(path);
    file.prepare("insert into schema_migrations (version, name) values (99, 'later')").run();
    file.close();
    await assert.rejects(openSqliteStore(path), {
      code: Status.FAILED_PRECONDITION,
      reason: "store_too_new",
      message:
        "the store has schema version 99, and this program knows versions up to 5: " +
        "start the release that wrote it, or restore a backup made by this one",
    });
  });
});
