/** The options of commands that write entries or look for them. */

import { type Command, Option } from "commander";
import { SelectorMatch_MatchBehavior as SelectorMatching } from "../../proto/gen/spire/api/types/selector_pb.ts";
import { usageError } from "../../runtime/cli/exit-code.ts";
import { collect } from "../../runtime/cli/options.ts";
import type { EntryInput } from "./entry-input.ts";
import type { ServerOptions } from "./server-cli.ts";

type Matching = "exact" | "subset" | "superset" | "any";

/** What is to be written, and how. */
export interface ChangeOptions extends ServerOptions {
  readonly file?: string;
  readonly dryRun?: boolean;
  readonly wait?: boolean;
  readonly label?: string[];
  readonly [option: string]: unknown;
}

/** What an entry must be like to be listed. */
export interface FilterOptions extends ServerOptions {
  readonly spiffeId?: string;
  readonly parentId?: string;
  readonly selector?: string[];
  readonly match: Matching;
  readonly hint?: string;
  readonly downstream?: boolean;
  readonly owner?: string;
  readonly unowned?: boolean;
  readonly unused?: string;
}

/** How the selectors of an entry may be compared, by the words of `--match`. */
export const matchings: Readonly<Record<Matching, SelectorMatching>> = {
  exact: SelectorMatching.MATCH_EXACT,
  subset: SelectorMatching.MATCH_SUBSET,
  superset: SelectorMatching.MATCH_SUPERSET,
  any: SelectorMatching.MATCH_ANY,
};

/** Adds the options that describe an entry. */
export function withChangeOptions(command: Command): Command {
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
    .option(
      "--unrestricted-federation <trust domain>",
      "one of those, whose bundle it gets without the limits; may be repeated",
      collect,
    )
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
    )
    .addOption(
      new Option("--jwt-algorithm <name>", "what JWT-SVIDs are signed with").choices([
        "ES256",
        "ES384",
        "RS256",
      ]),
    );
}

/** Adds the options that filter entries. */
export function withFilters(command: Command): Command {
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
  "unrestricted_federation",
  "instance_scope",
  "jwt_algorithm",
] as const satisfies readonly (keyof EntryInput)[];

/** The entry that the options of one command write. @throws {CliError} */
export function inputFromOptions(options: ChangeOptions): EntryInput {
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
