import type Database from "better-sqlite3";
import type { SqliteDatabase, SqliteStatement } from "kysely";
import { withFaults } from "./faults.ts";

/** Enough for every statement of every operation in each of its lengths. */
const MAX_STATEMENTS = 512;

/**
 * Gives Kysely prepared statements by their text, so that SQLite compiles each once. The one used longest ago goes when there
 * are too many. Statements are never in use twice at a time: everything runs to its end on one thread.
 */
export function cachingDatabase(database: Database.Database): SqliteDatabase {
  const statements = new Map<string, SqliteStatement>();
  return {
    close: () => void database.close(),
    prepare(text) {
      const known = statements.get(text);
      const statement = known ?? withFaults(() => guarded(database.prepare(text)));
      if (known !== undefined) statements.delete(text);
      else if (statements.size >= MAX_STATEMENTS) forgetOldest(statements);
      statements.set(text, statement);
      return statement;
    },
  };
}

function guarded(statement: Database.Statement<unknown[]>): SqliteStatement {
  return {
    reader: statement.reader,
    all: (parameters) => withFaults(() => statement.all(...parameters)),
    run: (parameters) => withFaults(() => statement.run(...parameters)),
    iterate: (parameters) => statement.iterate(...parameters),
  };
}

function forgetOldest(statements: Map<string, SqliteStatement>): void {
  const oldest = statements.keys().next().value;
  if (oldest !== undefined) statements.delete(oldest);
}
