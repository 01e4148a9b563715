import { initial } from "./0001-initial.ts";
import { entryOrigin } from "./0002-entry-origin.ts";
import { clusters } from "./0003-clusters.ts";
import { federation } from "./0004-federation.ts";
import { jwtAlgorithm } from "./0005-jwt-algorithm.ts";
import type { Migration } from "./migration.ts";

/** Every step, in order. The version of the last one is the schema version of this code. */
export const migrations: readonly Migration[] = [
  initial,
  entryOrigin,
  clusters,
  federation,
  jwtAlgorithm,
];
