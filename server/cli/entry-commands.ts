/** `assay entry create|update|show|list|delete|count`: registration entries. */
import { readFile } from "node:fs/promises";
import { type Command, Option } from "commander";
import { Admin, type EntryResult } from "../../proto/gen/assay/admin/v1/admin_pb.ts";
import { Entry as EntryService } from "../../proto/gen/spire/api/server/entry/v1/entry_pb.ts";
import { SelectorMatch_MatchBehavior as SelectorMatching } from "../../proto/gen/spire/api/types/selector_pb.ts";
import type { CliIo } from "../../runtime/cli/cli-io.ts";
import { CliError, ExitCode, exitCodeOfStatus, usageError } from "../../runtime/cli/exit-code.ts";
import type { Clock } from "../../runtime/time/clock.ts";
import {
  type EntryInput,
  entryMessage,
  givenMetadata,
  inputMask,
  parseEntriesFile,
} from "./entry-input.ts";
import { entryColumns, entryRow, resultRow } from "./entry-row.ts";
import { waitForRollout } from "./rollout.ts";
import {
  runWithServer,
  type ServerOptions,
  type ServerSession,
  withServerOptions,
} from "./server-cli.ts";
import { collect, parseDurationOption, parseIdOption, parseSelectorOption } from "./wire-text.ts";

interface ChangeOptions extends ServerOptions {
  readonly file?: string;
  readonly dryRun?: boolean;
  readonly wait?: boolean;
  readonly label?: string[];
  readonly [option: string]: unknown;
}

interface FilterOptions extends ServerOptions {
  readonly spiffeId?: string;
  readonly parentId?: string;
  readonly selector?: string[];
  readonly match: keyof typeof matchings;
  readonly hint?: string;
  readonly downstream?: boolean;
  readonly owner?: string;
  readonly unowned?: boolean;
  readonly unused?: string;
}

const matchings = {
  exact: SelectorMatching.MATCH_EXACT,
  subset: SelectorMatching.MATCH_SUBSET,
  superset: SelectorMatching.MATCH_SUPERSET,
  any: SelectorMatching.MATCH_ANY,
} as const;

const batchSize = 500;
const pageSize = 500;

export function addEntryCommands(program: Command, io: CliIo, clock: Clock): void {
  const entry = program
    .command("entry")
    .description("Registration entries: which workload gets which identity.");

  withChangeOptions(withServerOptions(entry.command("create")))
    .description("Create entries.")
    .addHelpText(
      "after",
      "\nExample:\n  assay entry create --spiffe-id spiffe://example.org/web --parent-id spiffe://example.org/spire/agent/x509pop/1f0c \\\n    --selector unix:uid:1000 --owner team-web --wait",
    )
    .action((options: ChangeOptions) =>
      runWithServer(io, options, (session) => change(session, options, "batchCreateEntry")),
    );

  withChangeOptions(withServerOptions(entry.command("update")).argument("[id]", "the entry's ID"))
    .description("Change entries: only what is given.")
    .addHelpText("after", "\nExample:\n  assay entry update 6f1e0b3a-... --x509-svid-ttl 30m")
    .action((id: string | undefined, options: ChangeOptions) =>
      runWithServer(io, options, (session) => change(session, options, "batchUpdateEntry", id)),
    );

  withServerOptions(entry.command("show"))
    .description("Show entries by ID.")
    .argument("<id...>")
    .addHelpText("after", "\nExample:\n  assay entry show 6f1e0b3a-... --output yaml")
    .action((ids: string[], options: ServerOptions) =>
      runWithServer(io, options, async (session) => {
        const { entries } = await session.client(Admin).listEntries({ ids }, session.call);
        if (ids.length > 1) session.printRows(entries.map(entryRow), entryColumns);
        else if (entries[0]) session.printOne(entryRow(entries[0]));
        const missing = ids.filter((id) => !entries.some((each) => each.entry?.id === id));
        if (missing.length > 0) {
          throw new CliError(`no such entry: ${missing.join(", ")}`, {
            exitCode: ExitCode.notFound,
          });
        }
      }),
    );

  withFilters(withServerOptions(entry.command("list")))
    .description("List entries.")
    .addHelpText("after", "\nExample:\n  assay entry list --unused 30d --output json")
    .action((options: FilterOptions) =>
      runWithServer(io, options, async (session) => {
        const rows = await Array.fromAsync(listEntries(session, options, clock), entryRow);
        session.printRows(rows, entryColumns);
      }),
    );

  withFilters(withServerOptions(entry.command("count")))
    .description("Count entries.")
    .addHelpText("after", "\nExample:\n  assay entry count --downstream")
    .action((options: FilterOptions) =>
      runWithServer(io, options, async (session) => {
        session.printOne({ count: await countEntries(session, options, clock) });
      }),
    );

  withServerOptions(entry.command("delete"))
    .description("Delete entries; their identities leave the workloads at once.")
    .argument("[id...]")
    .option("--file <path>", "delete the entries of this file by their IDs; - is standard input")
    .option("--dry-run", "check everything and change nothing")
    .option("--wait", "wait until every connected agent has applied the change")
    .addHelpText("after", "\nExample:\n  assay entry delete 6f1e0b3a-... --wait")
    .action((ids: string[], options: ChangeOptions) =>
      runWithServer(io, options, async (session) => {
        const inputs = options.file === undefined ? [] : await readEntries(io, options.file);
        const all = [...ids, ...inputs.map((input) => input.id ?? "")];
        if (all.length === 0 || all.includes("")) {
          throw usageError("expected the ID of each entry to delete");
        }
        await inBatches(session, all, options, async (batch) => {
          const dryRun = options.dryRun ?? false;
          return session.client(Admin).batchDeleteEntry({ ids: batch, dryRun }, session.call);
        });
      }),
    );
}

function withChangeOptions(command: Command): Command {
  return command
    .option("--file <path>", "read entries from a YAML or JSON file; - is standard input")
    .option("--dry-run", "check everything and change nothing")
    .option("--wait", "wait until every connected agent has applied the change")
    .option("--id <id>", "the entry's ID; the server chooses one by default")
    .option("--spiffe-id <id>", "the identity that the workload gets")
    .option("--parent-id <id>", "the agent, alias or entry that the workload runs under")
    .option("--selector <type:value>", "what the workload must show; may be repeated", collect)
    .option("--x509-svid-ttl <duration>", "life of X509-SVIDs, for example 30m")
    .option("--jwt-svid-ttl <duration>", "life of JWT-SVIDs")
    .option("--federates-with <trust domain>", "whose bundle it gets too; may be repeated", collect)
    .option("--dns-name <name>", "DNS name in X509-SVIDs; may be repeated", collect)
    .option("--admin", "may administer the server")
    .option("--downstream", "may ask for a CA certificate")
    .option("--store-svid", "for a secret store, not for the Workload API")
    .option("--hint <text>", "tells the workload what the identity is for")
    .option("--expires-at <time>", "when the entry ends, RFC 3339")
    .option("--owner <name>", "who answers for it")
    .option("--purpose <text>", "what it is for")
    .option("--ticket <ref>", "where it was asked for")
    .option("--label <key=value>", "may be repeated", collect)
    .option("--review-by <time>", "when somebody should look at it again")
    .option("--allowed-audience <audience>", "audience of JWT-SVIDs; may be repeated", collect)
    .addOption(
      new Option("--instance-scope <scope>", "what shares a private key").choices([
        "pod",
        "container",
        "process",
        "shared",
      ]),
    );
}

function withFilters(command: Command): Command {
  return command
    .option("--spiffe-id <id>", "only entries for this identity")
    .option("--parent-id <id>", "only entries under this parent")
    .option(
      "--selector <type:value>",
      "only entries with these selectors; may be repeated",
      collect,
    )
    .addOption(
      new Option("--match <how>", "how selectors are compared")
        .choices(Object.keys(matchings))
        .default("superset"),
    )
    .option("--hint <text>", "only entries with this hint")
    .option("--downstream", "only downstream entries")
    .option("--owner <name>", "only entries of this owner")
    .option("--unowned", "only entries without an owner")
    .option("--unused <duration>", "only entries that nothing was issued for that long");
}

/** The options whose name is not the field's name with dashes. */
const optionOfField: Partial<Record<keyof EntryInput, string>> = {
  selectors: "selector",
  dns_names: "dnsName",
  allowed_audiences: "allowedAudience",
};

const writableFields = [
  "id",
  "spiffe_id",
  "parent_id",
  "selectors",
  "x509_svid_ttl",
  "jwt_svid_ttl",
  "federates_with",
  "dns_names",
  "admin",
  "downstream",
  "store_svid",
  "hint",
  "expires_at",
  "owner",
  "purpose",
  "ticket",
  "review_by",
  "allowed_audiences",
  "instance_scope",
] as const satisfies readonly (keyof EntryInput)[];

function inputFromOptions(options: ChangeOptions): EntryInput {
  const camel = (field: string): string => field.replace(/_(\w)/g, (_, c) => c.toUpperCase());
  const given = writableFields
    .map((field) => [field, options[optionOfField[field] ?? camel(field)]] as const)
    .filter(([, value]) => value !== undefined);
  return {
    ...Object.fromEntries(given),
    ...(options.label && { labels: Object.fromEntries(options.label.map(splitLabel)) }),
  };
}

function splitLabel(text: string): [string, string] {
  const at = text.indexOf("=");
  if (at < 1) throw usageError(`--label: expected key=value, got ${JSON.stringify(text)}`);
  return [text.slice(0, at), text.slice(at + 1)];
}

async function readEntries(io: CliIo, file: string): Promise<EntryInput[]> {
  const text = file === "-" ? await io.readInput() : await readFile(file, "utf8");
  return parseEntriesFile(text, file === "-" ? "standard input" : file);
}

async function change(
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
async function inBatches<T>(
  session: ServerSession,
  items: readonly T[],
  options: ChangeOptions,
  send: (batch: T[]) => Promise<{ results: EntryResult[]; revision: bigint }>,
): Promise<void> {
  const results: EntryResult[] = [];
  let revision = 0n;
  for (let at = 0; at < items.length; at += batchSize) {
    const answer = await send(items.slice(at, at + batchSize));
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

async function* listEntries(session: ServerSession, options: FilterOptions, clock: Clock) {
  let pageToken = "";
  do {
    const page = await session
      .client(Admin)
      .listEntries({ ...listRequest(options, clock), pageSize, pageToken }, session.call);
    yield* page.entries;
    pageToken = page.nextPageToken;
  } while (pageToken !== "");
}

async function countEntries(
  session: ServerSession,
  options: FilterOptions,
  clock: Clock,
): Promise<number> {
  if (options.owner === undefined && !options.unowned && options.unused === undefined) {
    const { filter } = listRequest(options, clock);
    const { count } = await session.client(EntryService).countEntries({ filter }, session.call);
    return count;
  }
  let count = 0;
  for await (const _ of listEntries(session, options, clock)) count += 1;
  return count;
}

function listRequest(options: FilterOptions, clock: Clock) {
  const unusedMs =
    options.unused === undefined ? undefined : parseDurationOption("--unused", options.unused);
  return {
    owner: options.owner ?? "",
    unowned: options.unowned ?? false,
    unusedSince:
      unusedMs === undefined ? 0n : BigInt(Math.floor((clock.now().getTime() - unusedMs) / 1000)),
    filter: {
      ...(options.spiffeId && { bySpiffeId: parseIdOption("--spiffe-id", options.spiffeId) }),
      ...(options.parentId && { byParentId: parseIdOption("--parent-id", options.parentId) }),
      ...(options.selector && {
        bySelectors: {
          match: matchings[options.match],
          selectors: options.selector.map((text) => parseSelectorOption("--selector", text)),
        },
      }),
      ...(options.hint !== undefined && { byHint: options.hint }),
      ...(options.downstream && { byDownstream: true }),
    },
  };
}
