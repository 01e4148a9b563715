import type { Kysely, RawBuilder } from "kysely";
import type { Schema } from "../schema.ts";

/** What differs between databases when tables are made. */
export interface DatabaseFacts {
  /** The type of a whole number that is the key of its table. */
  readonly rowKey: RawBuilder<unknown>;
  /** The type of a column of bytes. */
  readonly bytes: RawBuilder<unknown>;
  /** Ends the declaration of a table that is only ever reached by its primary key. */
  readonly clustered: RawBuilder<unknown>;
}

/** One step of the schema. Released steps never change; a mistake is mended by the next step. */
export interface Migration {
  readonly version: number;
  readonly name: string;
  up(db: Kysely<Schema>, facts: DatabaseFacts): Promise<void>;
}
