/** The options of commands that write relationships with foreign trust domains. */
import type { MessageInitShape } from "@bufbuild/protobuf";
import { type Command, Option } from "commander";
import { encodeEnd } from "../../proto/convert/federation-limits.ts";
import type { BundleEndpointSchema } from "../../proto/gen/assay/admin/v1/admin_pb.ts";
import type {
  FederationLimits,
  FederationLimitsSchema,
} from "../../proto/gen/assay/federation/v1/limits_pb.ts";
import type { Bundle as WireBundle } from "../../proto/gen/spire/api/types/bundle_pb.ts";
import type { CliIo } from "../../runtime/cli/cli-io.ts";
import { usageError } from "../../runtime/cli/exit-code.ts";
import { collect } from "../../runtime/cli/options.ts";
import { type BundleFormat, readBundleFile } from "./bundle-file.ts";
import { type ServerOptions, withServerOptions } from "./server-cli.ts";
import { parseTimeOption } from "./wire-text.ts";

/** What a command says of a relationship. */
export interface FederationOptions extends ServerOptions {
  readonly profile?: "https_web" | "https_spiffe" | "none";
  readonly url?: string;
  readonly endpointId?: string;
  readonly any?: boolean;
  readonly allowId?: string[];
  readonly allowAudience?: string[];
  readonly endsAt?: string;
  readonly owner?: string;
  readonly purpose?: string;
  readonly bundle?: string;
  readonly format: BundleFormat;
  readonly wait?: boolean;
}

/** The request to create or update one. */
export interface FederationInit {
  readonly federation: {
    readonly trustDomain: string;
    readonly endpoint?: MessageInitShape<typeof BundleEndpointSchema>;
    readonly limits?: MessageInitShape<typeof FederationLimitsSchema>;
  };
  readonly bundle?: WireBundle;
}

/** Adds the options that describe a relationship. */
export function withFederationOptions(command: Command): Command {
  return withServerOptions(command)
    .argument("<trust domain>", "the foreign trust domain's name")
    .addOption(
      new Option("--profile <profile>", "how its bundle endpoint is authenticated").choices([
        "https_web",
        "https_spiffe",
        "none",
      ]),
    )
    .option("--url <url>", "its bundle endpoint")
    .option("--endpoint-id <id>", "SPIFFE ID of the endpoint, for https_spiffe")
    .option("--any", "trust it for everything; has to be written out")
    .option(
      "--allow-id <pattern>",
      "path of trusted IDs, such as /payments/* or /payments/**; may be repeated",
      collect,
    )
    .option(
      "--allow-audience <audience>",
      "audience for which its JWT-SVIDs are accepted, * for every one; may be repeated",
      collect,
    )
    .option("--ends-at <time>", "when it ends, RFC 3339")
    .option("--owner <name>", "who answers for it")
    .option("--purpose <text>", "what it is for")
    .option("--bundle <path>", "the bundle to begin with; - is standard input")
    .addOption(
      new Option("--format <format>", "how the bundle is written")
        .choices(["spiffe", "pem"])
        .default("spiffe"),
    )
    .option("--wait", "wait until every connected agent has applied it");
}

/**
 * The request that the options make.
 *
 * @param current the limits as they are: what the options leave out of them stays
 * @throws {CliError} usage
 */
export async function federationFromOptions(
  io: CliIo,
  trustDomain: string,
  options: FederationOptions,
  current?: FederationLimits,
): Promise<FederationInit> {
  const endpoint = endpointOf(options);
  const limits = limitsOf(options, current);
  const { bundle: path, format } = options;
  const bundle =
    path === undefined ? undefined : await readBundleFile(io, trustDomain, path, format);
  return {
    federation: {
      trustDomain,
      ...(endpoint && { endpoint }),
      ...(limits && { limits }),
    },
    ...(bundle && { bundle }),
  };
}

function endpointOf({
  profile,
  url,
  endpointId,
}: FederationOptions): MessageInitShape<typeof BundleEndpointSchema> | undefined {
  if (profile === undefined) {
    if (url === undefined && endpointId === undefined) return undefined;
    throw usageError("--url: needs --profile, which is never guessed");
  }
  if (profile === "none") return { profile };
  if (url === undefined) throw usageError(`--profile ${profile}: needs --url`);
  if ((profile === "https_spiffe") !== (endpointId !== undefined)) {
    throw usageError("--endpoint-id: is for the profile https_spiffe, and needed there");
  }
  return { profile, url, endpointId: endpointId ?? "" };
}

const LIMIT_OPTIONS = ["any", "allowId", "allowAudience", "endsAt", "owner", "purpose"] as const;

function limitsOf(
  options: FederationOptions,
  current: FederationLimits | undefined,
): MessageInitShape<typeof FederationLimitsSchema> | undefined {
  if (LIMIT_OPTIONS.every((name) => options[name] === undefined)) return undefined;
  const { any, allowId, allowAudience, endsAt, owner, purpose } = options;
  const isNarrowed = allowId !== undefined || allowAudience !== undefined;
  if (any === true && isNarrowed) {
    throw usageError("--any: excludes --allow-id and --allow-audience");
  }
  return {
    any: any ?? (isNarrowed ? false : (current?.any ?? false)),
    idPatterns: allowId ?? (any === true ? [] : (current?.idPatterns ?? [])),
    audiences: allowAudience ?? (any === true ? [] : (current?.audiences ?? [])),
    endsAt:
      endsAt === undefined
        ? (current?.endsAt ?? 0n)
        : encodeEnd(parseTimeOption("--ends-at", endsAt)),
    owner: owner ?? current?.owner ?? "",
    purpose: purpose ?? current?.purpose ?? "",
  };
}
