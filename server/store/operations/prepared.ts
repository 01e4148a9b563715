import type { Compilable, CompiledQuery, Kysely, RawBuilder, Selectable } from "kysely";
import { sql } from "kysely";
import type { Schema } from "../schema.ts";
import { inChunks } from "./chunks.ts";

/**
 * A statement whose text depends on nothing but how many rows it is about, so that it is put together once for each number and not
 * each time that it runs: that costs more than some of them take to run.
 */
export class Prepared<Result = unknown> {
  readonly #build: (db: Kysely<Schema>, rows: number) => Compilable<Result>;
  readonly #compiled = new WeakMap<Kysely<Schema>, Map<number, CompiledQuery<Result>>>();

  /** @param build makes the statement with any values in the places of the parameters, each of them given once */
  constructor(build: (db: Kysely<Schema>, rows: number) => Compilable<Result>) {
    this.#build = build;
  }

  /** Runs it with the parameters in the order of the text. */
  async run(
    db: Kysely<Schema>,
    parameters: readonly unknown[],
    rows = 1,
  ): Promise<readonly Result[]> {
    const compiled = this.#compile(db, rows);
    if (compiled.parameters.length !== parameters.length) {
      throw new Error(`store: ${parameters.length} parameters for ${compiled.parameters.length}`);
    }
    return (await db.executeQuery<Result>({ ...compiled, parameters })).rows;
  }

  #compile(db: Kysely<Schema>, rows: number): CompiledQuery<Result> {
    const ofDb = this.#compiled.get(db) ?? new Map<number, CompiledQuery<Result>>();
    this.#compiled.set(db, ofDb);
    const compiled = ofDb.get(rows) ?? this.#build(db, rows).compile();
    ofDb.set(rows, compiled);
    return compiled;
  }
}

type ColumnOf<Table extends keyof Schema> = keyof Selectable<Schema[Table]> & string;

/** Adds rows to one table, many with a statement. */
export class PreparedInsert<Table extends keyof Schema> {
  readonly #columns: readonly ColumnOf<Table>[];
  readonly #statement: Prepared;

  /** @param columns all that a row has */
  constructor(table: Table, columns: readonly ColumnOf<Table>[]) {
    this.#columns = columns;
    const row = list(columns.map(() => sql`${null}`));
    this.#statement = new Prepared((db, rows) => {
      const values = sql.join(Array.from({ length: rows }, () => row));
      const names = list(columns.map((column) => sql.ref(column)));
      const text = sql`insert into ${sql.table(table)} ${names} values ${values}`;
      return { compile: () => text.compile(db) };
    });
  }

  async run(db: Kysely<Schema>, rows: readonly Selectable<Schema[Table]>[]): Promise<void> {
    for (const chunk of inChunks(rows)) {
      const parameters: unknown[] = [];
      for (const row of chunk) for (const column of this.#columns) parameters.push(row[column]);
      await this.#statement.run(db, parameters, chunk.length);
    }
  }
}

function list(parts: readonly RawBuilder<unknown>[]): RawBuilder<unknown> {
  return sql`(${sql.join(parts)})`;
}
