import { create } from "@bufbuild/protobuf";
import {
  checkCount,
  decodeText,
  decodeUnixSeconds,
  fieldError,
} from "../../../proto/convert/field.ts";
import { decodeTrustDomain } from "../../../proto/convert/id.ts";
import {
  type EntryMetadata,
  EntryMetadataSchema,
  type EntryWithMetadata,
  EntryWithMetadataSchema,
} from "../../../proto/gen/assay/admin/v1/admin_pb.ts";
import type { EntryExtra } from "../../entries/entry-draft.ts";
import { encodeEntryRecord } from "../../entries/entry-message.ts";
import { JWS_ALGORITHMS } from "../../keymanager/key-type.ts";
import type {
  EntryJwtAlgorithm,
  EntryRecord,
  EntryUsageRecord,
  InstanceScope,
} from "../../store/records.ts";

const maxTextBytes = 1024;
const maxLabels = 64;
const maxAudiences = 256;
const maxTrustDomains = 256;

const scopes: readonly InstanceScope[] = ["", "pod", "container", "process", "shared"];

/** Reads the side record of an entry; nothing of it when the caller says nothing. @throws {StatusError} INVALID_ARGUMENT */
export function decodeMetadata(field: string, metadata: EntryMetadata | undefined): EntryExtra {
  if (metadata === undefined) return {};
  const { origin, labels, allowedAudiences, unrestrictedFederation } = metadata;
  const read = (name: string, text: string): string =>
    decodeText(`${field}.${name}`, text, { maxBytes: maxTextBytes });
  checkCount(`${field}.labels`, Object.keys(labels), maxLabels);
  checkCount(`${field}.allowed_audiences`, allowedAudiences, maxAudiences);
  checkCount(`${field}.unrestricted_federation`, unrestrictedFederation, maxTrustDomains);
  return {
    side: {
      owner: read("owner", metadata.owner),
      purpose: read("purpose", metadata.purpose),
      ticket: read("ticket", metadata.ticket),
      labels: Object.fromEntries(
        Object.entries(labels).map(([key, value]) => [
          read(`labels[${JSON.stringify(key)}]`, key),
          read(`labels[${JSON.stringify(key)}]`, value),
        ]),
      ),
      reviewBy: secondsOf(decodeUnixSeconds(`${field}.review_by`, metadata.reviewBy)),
      ...(origin && {
        origin: {
          kind: read("origin.kind", origin.kind),
          cluster: read("origin.cluster", origin.cluster),
          namespace: read("origin.namespace", origin.namespace),
          name: read("origin.name", origin.name),
          uid: read("origin.uid", origin.uid),
          generation: Number(origin.generation),
        },
      }),
    },
    allowedAudiences: allowedAudiences.map((audience, index) =>
      decodeText(`${field}.allowed_audiences[${index}]`, audience, {
        maxBytes: maxTextBytes,
        required: true,
      }),
    ),
    unrestrictedFederation: unrestrictedFederation.map(
      (name, index) => decodeTrustDomain(`${field}.unrestricted_federation[${index}]`, name).name,
    ),
    instanceScope: decodeScope(`${field}.instance_scope`, metadata.instanceScope),
    jwtAlgorithm: decodeAlgorithm(`${field}.jwt_algorithm`, metadata.jwtAlgorithm),
  };
}

/** The metadata that a caller may set, by the names of the protocol. */
const settable = {
  owner: "owner",
  purpose: "purpose",
  labels: "labels",
  ticket: "ticket",
  review_by: "reviewBy",
  origin: "origin",
  allowed_audiences: "allowedAudiences",
  unrestricted_federation: "unrestrictedFederation",
  instance_scope: "instanceScope",
  jwt_algorithm: "jwtAlgorithm",
} as const;

type Settable = (typeof settable)[keyof typeof settable];

/** Reads the names of the fields to set; undefined for all. @throws {StatusError} INVALID_ARGUMENT */
export function decodeMetadataFields(
  field: string,
  names: readonly string[],
): ReadonlySet<Settable> | undefined {
  if (names.length === 0) return undefined;
  return new Set(
    names.map((name, index) => {
      if (!isSettable(name)) {
        const known = Object.keys(settable).join(", ");
        throw fieldError(`${field}[${index}]`, `must be one of ${known}`);
      }
      return settable[name];
    }),
  );
}

/** Leaves of what was read the chosen fields. */
export function pickMetadata(
  { side, ...own }: EntryExtra,
  chosen: ReadonlySet<Settable> | undefined,
): EntryExtra {
  if (chosen === undefined) return { ...own, ...(side && { side }) };
  const pick = (fields: object) =>
    Object.fromEntries(Object.entries(fields).filter(([name]) => chosen.has(name as Settable)));
  return { ...pick(own), side: pick(side ?? {}) };
}

function isSettable(name: string): name is keyof typeof settable {
  return Object.hasOwn(settable, name);
}

/** Writes an entry with its side record. */
export function encodeEntryWithMetadata(
  record: EntryRecord,
  usage: EntryUsageRecord = { lastIssuedAt: 0, lastDeliveredAt: 0 },
): EntryWithMetadata {
  const { side } = record;
  return create(EntryWithMetadataSchema, {
    entry: encodeEntryRecord(record),
    metadata: create(EntryMetadataSchema, {
      owner: side.owner,
      purpose: side.purpose,
      labels: { ...side.labels },
      ticket: side.ticket,
      reviewBy: BigInt(side.reviewBy),
      createdBy: side.createdBy,
      updatedBy: side.updatedBy,
      ...(side.origin && {
        origin: { ...side.origin, generation: BigInt(side.origin.generation) },
      }),
      allowedAudiences: [...record.allowedAudiences],
      unrestrictedFederation: [...record.unrestrictedFederation],
      instanceScope: record.instanceScope,
      jwtAlgorithm: record.jwtAlgorithm,
      lastIssued: BigInt(usage.lastIssuedAt),
      lastDelivered: BigInt(usage.lastDeliveredAt),
    }),
  });
}

function decodeScope(field: string, text: string): InstanceScope {
  const scope = scopes.find((each) => each === text);
  if (scope === undefined) {
    throw fieldError(field, 'must be "pod", "container", "process", "shared" or empty');
  }
  return scope;
}

function decodeAlgorithm(field: string, text: string): EntryJwtAlgorithm {
  const algorithm = ["" as const, ...JWS_ALGORITHMS].find((each) => each === text);
  if (algorithm === undefined) {
    throw fieldError(field, `must be empty or one of ${JWS_ALGORITHMS.join(", ")}`);
  }
  return algorithm;
}

function secondsOf(instant: Date | undefined): number {
  return instant === undefined ? 0 : Math.floor(instant.getTime() / 1000);
}
