/** Writes many entries: reads them, sends them in batches, and tells what became of each. */
import { readFile } from "node:fs/promises";
import { Admin, type EntryResult } from "../../proto/gen/assay/admin/v1/admin_pb.ts";
import type { CliIo } from "../../runtime/cli/cli-io.ts";
import { CliError, ExitCode, exitCodeOfStatus } from "../../runtime/cli/exit-code.ts";
import { slicesOf } from "../../runtime/slices.ts";
import {
  type EntryInput,
  entryMessage,
  givenMetadata,
  inputMask,
  parseEntriesFile,
} from "./entry-input.ts";
import { type ChangeOptions, inputFromOptions } from "./entry-options.ts";
import { resultRow } from "./entry-row.ts";
import { waitForRollout } from "./rollout.ts";
import type { ServerSession } from "./server-cli.ts";

const batchSize = 500;
/** Reads the entries of a file, or of standard input for "-". @throws {CliError} */
export async function readEntries(io: CliIo, file: string): Promise<EntryInput[]> {
  const text = file === "-" ? await io.readInput() : await readFile(file, "utf8");
  return parseEntriesFile(text, file === "-" ? "standard input" : file);
}

/** Creates or updates what the options or their file say. */
export async function changeEntries(
  session: ServerSession,
  options: ChangeOptions,
  method: "batchCreateEntry" | "batchUpdateEntry",
  id?: string,
): Promise<void> {
  const single = { ...inputFromOptions(options), ...(id !== undefined && { id }) };
  const inputs =
    options.file === undefined ? [single] : await readEntries(session.io, options.file);
  const admin = session.client(Admin);
  const dryRun = options.dryRun ?? false;
  // An update changes what was given; entries that give different fields cannot share a call.
  const groups = Map.groupBy(inputs, (input) =>
    method === "batchCreateEntry" ? "" : JSON.stringify([inputMask(input), givenMetadata(input)]),
  );
  for (const group of groups.values()) {
    await inBatches(session, group, options, async (batch) => {
      const [first = {}] = batch;
      return method === "batchCreateEntry"
        ? admin.batchCreateEntry({ entries: batch.map(entryMessage), dryRun }, session.call)
        : admin.batchUpdateEntry({ ...updateOf(batch, first), dryRun }, session.call);
    });
  }
}

/** An update says which fields it sets, so that the others stay. */
function updateOf(batch: readonly EntryInput[], like: EntryInput) {
  const metadata = givenMetadata(like);
  return {
    entries: batch.map((input) => {
      const message = entryMessage(input);
      return metadata.length > 0 ? message : { entry: message.entry };
    }),
    inputMask: inputMask(like),
    metadataFields: metadata,
  };
}

/** Sends items in batches, prints what became of each, and waits for the last change if asked to. */
export async function inBatches<T>(
  session: ServerSession,
  items: readonly T[],
  options: ChangeOptions,
  send: (batch: T[]) => Promise<{ results: EntryResult[]; revision: bigint }>,
): Promise<void> {
  const results: EntryResult[] = [];
  let revision = 0n;
  for (const batch of slicesOf(items, batchSize)) {
    const answer = await send(batch);
    results.push(...answer.results);
    revision = answer.revision;
  }
  const rows = results.map(resultRow);
  if (rows[0] && rows.length === 1) session.printOne(rows[0]);
  else session.printRows(rows, ["id", "spiffe_id", "status", "warnings"]);
  if (options.wait && !options.dryRun && revision > 0n) await waitForRollout(session, revision);
  failOnRefused(results);
}

function failOnRefused(results: readonly EntryResult[]): void {
  const refused = results.filter((result) => result.status?.code);
  const [first] = refused;
  if (!first?.status) return;
  const all = refused.length === results.length;
  throw new CliError(`${refused.length} of ${results.length} failed: ${first.status.message}`, {
    exitCode: all ? exitCodeOfStatus(first.status.code) : ExitCode.partial,
  });
}
