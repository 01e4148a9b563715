/**
 * Entries as people write them: options of one command, or a YAML or JSON file with many. Field names
 * are those of the table output, so that what `entry show -o yaml` prints can be fed back.
 */
import type { MessageInitShape } from "@bufbuild/protobuf";
import { type Document, parseAllDocuments } from "yaml";
import type { EntryWithMetadataSchema } from "../../proto/gen/assay/admin/v1/admin_pb.ts";
import type { EntryMaskSchema } from "../../proto/gen/spire/api/types/entry_pb.ts";
import { usageError } from "../../runtime/cli/exit-code.ts";
import {
  parseIdOption,
  parseSecondsOption,
  parseSelectorOption,
  parseTimeOption,
} from "./wire-text.ts";

export type EntryInit = MessageInitShape<typeof EntryWithMetadataSchema>;
type Mask = NonNullable<MessageInitShape<typeof EntryMaskSchema>>;

/** One entry as written, before anything is checked. */
export interface EntryInput {
  readonly id?: string;
  readonly spiffe_id?: string;
  readonly parent_id?: string;
  readonly selectors?: readonly string[];
  readonly x509_svid_ttl?: string;
  readonly jwt_svid_ttl?: string;
  readonly federates_with?: readonly string[];
  readonly dns_names?: readonly string[];
  readonly admin?: boolean;
  readonly downstream?: boolean;
  readonly store_svid?: boolean;
  readonly hint?: string;
  readonly expires_at?: string;
  readonly disable_x509_svid_prefetch?: boolean;
  readonly owner?: string;
  readonly purpose?: string;
  readonly ticket?: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly review_by?: string;
  readonly allowed_audiences?: readonly string[];
  readonly unrestricted_federation?: readonly string[];
  readonly instance_scope?: string;
  readonly jwt_algorithm?: string;
}

type Kind = "text" | "flag" | "list" | "map";

/** Every field that may be written, and the shape of its value. */
const fields: Readonly<Record<keyof EntryInput, Kind>> = {
  id: "text",
  spiffe_id: "text",
  parent_id: "text",
  selectors: "list",
  x509_svid_ttl: "text",
  jwt_svid_ttl: "text",
  federates_with: "list",
  dns_names: "list",
  admin: "flag",
  downstream: "flag",
  store_svid: "flag",
  hint: "text",
  expires_at: "text",
  disable_x509_svid_prefetch: "flag",
  owner: "text",
  purpose: "text",
  ticket: "text",
  labels: "map",
  review_by: "text",
  allowed_audiences: "list",
  unrestricted_federation: "list",
  instance_scope: "text",
  jwt_algorithm: "text",
};

/** What the server tells and nobody writes; a file may hold it because it was printed. */
const printedOnly = new Set([
  "revision_number",
  "created_at",
  "created_by",
  "updated_by",
  "last_issued",
  "last_delivered",
  "warnings",
]);

const maxEntries = 100_000;

/**
 * Reads many entries: a list, an object with a list under `entries`, or one document an entry.
 *
 * @throws {CliError} naming the entry and the field
 */
export function parseEntriesFile(text: string, name: string): EntryInput[] {
  const documents = parseAllDocuments(text, { uniqueKeys: true });
  const problem = documents.flatMap((document) => document.errors)[0];
  if (problem) throw usageError(`${name}: ${problem.message}`);
  const values = documents.map((document) => contentOf(document, name));
  const entries = values.flatMap((value) =>
    isObject(value) && Array.isArray(value["entries"]) ? value["entries"] : value,
  );
  if (entries.length > maxEntries) throw usageError(`${name}: more than ${maxEntries} entries`);
  return entries.map((entry, index) => checkEntry(entry, `${name}: entry ${index + 1}`));
}

/** What a document stands for: aliases are resolved here, and only so many of them. */
function contentOf(document: Document, name: string): unknown {
  try {
    return document.toJS({ maxAliasCount: 100 });
  } catch (err) {
    throw usageError(`${name}: ${err instanceof Error ? err.message : String(err)}`);
  }
}

function checkEntry(value: unknown, where: string): EntryInput {
  if (!isObject(value)) throw usageError(`${where}: expected an object`);
  const checked: Record<string, unknown> = {};
  for (const [field, content] of Object.entries(value)) {
    if (printedOnly.has(field) || content === null) continue;
    const kind = Object.hasOwn(fields, field) ? fields[field as keyof EntryInput] : undefined;
    if (!kind) throw usageError(`${where}: unknown field ${JSON.stringify(field)}`);
    if (!hasKind(content, kind)) throw usageError(`${where}.${field}: expected a ${kind}`);
    checked[field] = kind === "text" ? String(content) : content;
  }
  return checked;
}

function hasKind(value: unknown, kind: Kind): boolean {
  switch (kind) {
    case "text":
      return typeof value === "string" || typeof value === "number";
    case "flag":
      return typeof value === "boolean";
    case "list":
      return Array.isArray(value) && value.every((item) => typeof item === "string");
    case "map":
      return isObject(value) && Object.values(value).every((item) => typeof item === "string");
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** The message for a written entry. @throws {CliError} naming the field */
export function entryMessage(input: EntryInput): EntryInit {
  return {
    entry: {
      id: input.id ?? "",
      ...(input.spiffe_id && { spiffeId: parseIdOption("spiffe_id", input.spiffe_id) }),
      ...(input.parent_id && { parentId: parseIdOption("parent_id", input.parent_id) }),
      selectors: (input.selectors ?? []).map((text) => parseSelectorOption("selectors", text)),
      x509SvidTtl: seconds("x509_svid_ttl", input.x509_svid_ttl),
      jwtSvidTtl: seconds("jwt_svid_ttl", input.jwt_svid_ttl),
      federatesWith: [...(input.federates_with ?? [])],
      dnsNames: [...(input.dns_names ?? [])],
      admin: input.admin ?? false,
      downstream: input.downstream ?? false,
      storeSvid: input.store_svid ?? false,
      hint: input.hint ?? "",
      expiresAt: unixSeconds("expires_at", input.expires_at),
      ...(input.disable_x509_svid_prefetch !== undefined && {
        additionalAttributes: { disableX509SvidPrefetch: input.disable_x509_svid_prefetch },
      }),
    },
    metadata: {
      owner: input.owner ?? "",
      purpose: input.purpose ?? "",
      ticket: input.ticket ?? "",
      labels: { ...input.labels },
      reviewBy: unixSeconds("review_by", input.review_by),
      allowedAudiences: [...(input.allowed_audiences ?? [])],
      unrestrictedFederation: [...(input.unrestricted_federation ?? [])],
      instanceScope: input.instance_scope ?? "",
      jwtAlgorithm: input.jwt_algorithm ?? "",
    },
  };
}

/** Which fields of the stock entry were written: an update leaves the others alone. */
export function inputMask(input: EntryInput): Mask {
  const has = (field: keyof EntryInput): boolean => input[field] !== undefined;
  return {
    spiffeId: has("spiffe_id"),
    parentId: has("parent_id"),
    selectors: has("selectors"),
    x509SvidTtl: has("x509_svid_ttl"),
    jwtSvidTtl: has("jwt_svid_ttl"),
    federatesWith: has("federates_with"),
    dnsNames: has("dns_names"),
    admin: has("admin"),
    downstream: has("downstream"),
    storeSvid: has("store_svid"),
    hint: has("hint"),
    expiresAt: has("expires_at"),
    additionalAttributes: has("disable_x509_svid_prefetch"),
  };
}

const metadataFields = [
  "owner",
  "purpose",
  "labels",
  "ticket",
  "review_by",
  "allowed_audiences",
  "unrestricted_federation",
  "instance_scope",
  "jwt_algorithm",
] as const satisfies readonly (keyof EntryInput)[];

/** Which parts of the metadata were written, by their names in the protocol. */
export function givenMetadata(input: EntryInput): string[] {
  return metadataFields.filter((field) => input[field] !== undefined);
}

/** A duration with a unit, or whole seconds as stock tools print them. */
function seconds(field: string, text: string | undefined): number {
  if (text === undefined) return 0;
  return /^\d+$/.test(text) ? Number(text) : parseSecondsOption(field, text);
}

function unixSeconds(field: string, text: string | undefined): bigint {
  return text === undefined || text === ""
    ? 0n
    : BigInt(Math.floor(parseTimeOption(field, text).getTime() / 1000));
}
