import { Status } from "../../../../runtime/errors/status-error.ts";
import type { ItemRefused, ItemResult } from "../../contract/operation.ts";
import type { RelationshipMode, RelationshipWrite } from "../../contract/relationships.ts";
import type { BundleRecord, RelationshipRecord } from "../../records.ts";
import { findBundleRow, putBundle } from "../bundles/write-bundles.ts";
import type { WriteContext, WriteOperation } from "../context.ts";
import { relationshipFromRow } from "./relationship-rows.ts";
import { findRelationshipRow, putRelationship } from "./relationship-table.ts";

/** Origin of those that the configuration keeps: nobody else changes them, since the next start would take it back. */
const CONFIGURED = "config";

export const writeRelationships: WriteOperation<"writeRelationships"> = async (context, input) => {
  const results: ItemResult<RelationshipRecord>[] = [];
  for (const wanted of input.relationships) results.push(await writeOne(context, wanted, input));
  return results;
};

async function writeOne(
  context: WriteContext,
  wanted: RelationshipWrite,
  o: {
    readonly mode: RelationshipMode;
    readonly origin: string;
    readonly now: number;
    readonly actor: string;
  },
): Promise<ItemResult<RelationshipRecord>> {
  const { trustDomain, bundle } = wanted;
  const row = await findRelationshipRow(context.db, trustDomain);
  const before = row && relationshipFromRow(row);
  const current = before?.isDeleted === true ? undefined : before;
  if (o.mode === "create" && current !== undefined) {
    const message = "federation relationship already exists";
    return { ok: false, code: Status.ALREADY_EXISTS, message, item: current };
  }
  if (o.mode === "update" && current === undefined) return relationshipNotFound();
  const refused = current && keptElsewhere(current, o.origin);
  if (refused !== undefined) return refused;
  const { endpoint = current?.endpoint, limits = current?.limits } = wanted.set;
  if (endpoint === undefined || limits === undefined) {
    const message = "a new relationship needs an endpoint and limits";
    return { ok: false, code: Status.INVALID_ARGUMENT, message };
  }
  const isOver = limits.endsAt !== 0 && limits.endsAt <= o.now;
  const relationship: RelationshipRecord = {
    trustDomain,
    endpoint,
    limits,
    endedAt: isOver ? (current?.endedAt ?? 0) || o.now : 0,
    isDeleted: false,
    // What people change of a registrar's stays the registrar's.
    origin: o.origin === CONFIGURED ? CONFIGURED : (current?.origin ?? o.origin),
    createdAt: current?.createdAt ?? o.now,
    createdBy: current?.createdBy ?? o.actor,
    updatedBy: o.actor,
  };
  await putRelationship(context, relationship, before);
  const stored = await findBundleRow(context.db, trustDomain);
  const wantedBundle = bundle ?? (stored === undefined ? emptyBundle(trustDomain) : undefined);
  if (wantedBundle !== undefined) await putBundle(context, wantedBundle, stored);
  return { ok: true, item: relationship };
}

/** The refusal to touch what somebody else keeps; undefined where `origin` may. */
export function keptElsewhere(
  item: RelationshipRecord,
  origin: string,
): ItemRefused<RelationshipRecord> | undefined {
  const refuse = (message: string): ItemRefused<RelationshipRecord> => ({
    ok: false,
    code: Status.FAILED_PRECONDITION,
    message,
    item,
  });
  if (item.origin === origin || origin === CONFIGURED) return undefined;
  if (item.origin === CONFIGURED) {
    return refuse("federation relationship is kept in the configuration of the server");
  }
  // A registrar works from what its cluster says, which is not to undo what people decided.
  return origin.startsWith("cluster/")
    ? refuse(`federation relationship was made by ${item.origin}`)
    : undefined;
}

/** The refusal to touch a relationship that does not exist. */
export function relationshipNotFound(): ItemRefused<RelationshipRecord> {
  return {
    ok: false,
    code: Status.NOT_FOUND,
    message: "federation relationship does not exist",
  };
}

// Until the first bundle is here: entries may federate with the trust domain already, and nobody is given this one.
function emptyBundle(trustDomain: string): BundleRecord {
  return {
    trustDomain,
    x509Authorities: [],
    jwtAuthorities: [],
    witAuthorities: [],
    refreshHintSeconds: 0,
    sequence: 0n,
  };
}
