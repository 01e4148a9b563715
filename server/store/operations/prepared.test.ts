import assert from "node:assert/strict";
import { describe, it } from "node:test";
import Database from "better-sqlite3";
import { migrations } from "../migrations/index.ts";
import { migrate } from "../migrations/migrate.ts";
import { withKysely } from "../sqlite/database.ts";
import { sqliteFacts } from "../sqlite/facts.ts";
import { Prepared, PreparedInsert } from "./prepared.ts";

async function openTables() {
  const handle = new Database(":memory:");
  const { db } = withKysely(handle);
  await migrate(db, migrations, sqliteFacts);
  return { db, [Symbol.dispose]: () => void handle.close() };
}

describe("prepared statements", () => {
  it("put a statement together once for each number of rows", async () => {
    using tables = await openTables();
    let built = 0;
    const select = new Prepared<{ readonly key: string }>((db, rows) => {
      built += 1;
      return db.selectFrom("settings").select("key").where("key", "in", Array(rows).fill(""));
    });
    const insert = new PreparedInsert("settings", ["key", "value"]);
    const keys = Array.from({ length: 150 }, (_, index) => `k${index}`);
    await insert.run(
      tables.db,
      keys.map((key) => ({ value: "v", key })),
    );
    for (const few of [["k1", "k2"], ["k3", "none"], ["k149"]]) {
      const found = await select.run(tables.db, few, few.length);
      const expected = few.filter((key) => keys.includes(key));
      assert.deepEqual(
        found.map(({ key }) => key),
        expected,
      );
    }
    assert.equal(built, 2);
  });

  it("refuse parameters that are not those of the text", async () => {
    using tables = await openTables();
    const select = new Prepared((db) =>
      db.selectFrom("settings").selectAll().where("key", "=", ""),
    );
    await assert.rejects(select.run(tables.db, ["a", "b"]), {
      message: "store: 2 parameters for 1",
    });
  });
});
