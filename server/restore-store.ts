import { resolve } from "node:path";
import process from "node:process";
import type { Row } from "../runtime/cli/output.ts";
import { systemRandom } from "../runtime/random.ts";
import { loadServerConfig } from "./config/server-config.ts";
import { serverFiles } from "./server-files.ts";
import { restoreBackup } from "./store/sqlite/restore.ts";
import type { Listed, ListedId, RestoreDifferences } from "./store/sqlite/restore-report.ts";

/**
 * Puts a backup in the place of the store that a configuration names, and reports what that may have
 * brought back. No server may be using the store.
 *
 * @throws {ConfigError} for a configuration that cannot be used
 * @throws {StatusError} FAILED_PRECONDITION when the store is in use, or the backup cannot be used
 */
export async function restoreStore(configPath: string, backup: string): Promise<Row> {
  const { store } = serverFiles(await loadServerConfig(configPath));
  const report = await restoreBackup({
    backupPath: resolve(backup),
    storePath: store,
    random: systemRandom,
    pid: process.pid,
  });
  return {
    store,
    incarnation: report.incarnation,
    revision: report.revision,
    revocation_epoch: report.revocationEpoch,
    voided_join_tokens: report.voidedJoinTokens,
    replaced_store: report.replacedPath,
    ...cameBack(report.differences),
  };
}

/** What the backup brought back, took back and lost, so that somebody can look at each. */
function cameBack(differences: RestoreDifferences | undefined): Row {
  if (differences === undefined) return { compared: "no: anything may have come back" };
  const { unbannedNodes, ...kinds } = differences;
  const rows = Object.entries(kinds).flatMap(([kind, { returned, reverted, lost }]) => [
    [`${kind}_returned`, namesOf(returned)],
    [`${kind}_reverted`, namesOf(reverted)],
    [`${kind}_lost`, namesOf(lost)],
  ]);
  return { ...Object.fromEntries(rows), agents_no_longer_banned: namesOf(unbannedNodes) };
}

function namesOf({ total, items }: Listed<ListedId>): readonly string[] {
  const names = items.map(({ id, spiffeId }) => (spiffeId ? `${spiffeId} (${id})` : id));
  return total > items.length ? [...names, `and ${total - items.length} more`] : names;
}
