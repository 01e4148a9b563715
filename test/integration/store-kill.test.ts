// A store's process is killed at random moments: what it answered for is there, and what is there is whole.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { describe, it } from "node:test";
import Database from "better-sqlite3";
import { FakeRandom } from "../fakes/fake-random.ts";
import { openSqliteStore } from "../support/open-store.ts";
import { TempDir } from "../support/temp-dir.ts";

const WRITER = new URL("../support/store-writer.ts", import.meta.url).pathname;
const KILLS = 5;

/** Lets a process write until it has answered `answers` times, kills it, and returns what it answered. */
async function writeAndKill(
  path: string,
  prefix: string,
  answers: number,
): Promise<readonly { readonly id: string; readonly revision: bigint }[]> {
  const child = spawn(process.execPath, [WRITER, path, prefix], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const exited = once(child, "exit");
  const answered: { readonly id: string; readonly revision: bigint }[] = [];
  for await (const line of createInterface({ input: child.stdout })) {
    const [id = "", revision] = line.split(" ");
    // The last line may be cut off by the kill; a whole one has both words.
    if (revision !== undefined) answered.push({ id, revision: BigInt(revision) });
    if (answered.length === answers) child.kill("SIGKILL");
  }
  await exited;
  return answered;
}

/** What the file itself says, without the code that wrote it. */
function inspect(path: string): Record<string, unknown> {
  const file = new Database(path, { readonly: true });
  try {
    const one = (sql: string): unknown => file.prepare(sql).pluck().get();
    return {
      integrity: file.pragma("integrity_check", { simple: true }),
      brokenForeignKeys: file.pragma("foreign_key_check"),
      revisionAheadOfLog: one(
        "select (select revision from store_state) - (select max(revision) from changes)",
      ),
      revisionsMissingFromLog: one("select max(revision) - count(distinct revision) from changes"),
      entriesNotInLog: one("select count(*) from entries where id not in (select id from changes)"),
      entriesWithoutSelectors: one(
        "select count(*) from entries where key not in (select entry_key from entry_selectors)",
      ),
      selectorsWithoutEntry: one(
        "select count(*) from entry_selectors where entry_key not in (select key from entries)",
      ),
    };
  } finally {
    file.close();
  }
}

describe("SqliteStore, killed", () => {
  it("has all that it answered for, and only whole transactions", async () => {
    await using dir = await TempDir.open();
    const path = dir.join("store.db");
    const random = new FakeRandom("kill");
    const acknowledged = new Map<string, bigint>();
    for (let kill = 0; kill < KILLS; kill += 1) {
      const answers = 1 + Math.floor(random.uniform() * 60);
      for (const { id, revision } of await writeAndKill(path, `k${kill}`, answers)) {
        acknowledged.set(id, revision);
      }
      await using store = await openSqliteStore(path);
      const ids = [...acknowledged.keys()].flatMap((id) => [id, `${id}-twin`]);
      const found = await store.read("getEntries", { ids });
      assert.equal(found.length, ids.length, `after kill ${kill}`);
      const newest = [...acknowledged.values()].reduce((a, b) => (a > b ? a : b), 0n);
      assert.ok(store.revision >= newest, `revision after kill ${kill}`);
      assert.deepEqual(inspect(path), {
        integrity: "ok",
        brokenForeignKeys: [],
        revisionAheadOfLog: 0,
        revisionsMissingFromLog: 0,
        entriesNotInLog: 0,
        entriesWithoutSelectors: 0,
        selectorsWithoutEntry: 0,
      });
    }
  });

  it("lets go of its lock with the process", async () => {
    await using dir = await TempDir.open();
    const path = dir.join("store.db");
    await writeAndKill(path, "one", 1);
    await using store = await openSqliteStore(path);
    assert.ok(store.revision > 0n);
  });
});
