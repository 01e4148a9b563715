import { create } from "@bufbuild/protobuf";
import { WireType } from "@bufbuild/protobuf/wire";
import {
  type Cursor,
  type EntryRevision,
  EntryRevisionSchema,
  type ServerMessage,
  ServerMessageSchema,
  type Update,
  type Update_Kind,
  UpdateSchema,
} from "../../proto/gen/assay/sync/v1/sync_pb.ts";
import type { WirePart } from "./wire-parts.ts";

/** What one update says, before it is cut into messages. */
export interface UpdateContent {
  readonly kind: Update_Kind;
  readonly cursor: Pick<Cursor, "incarnation" | "revision">;
  readonly revocationEpoch: bigint;
  readonly authorizationDigest: Uint8Array;
  readonly entries?: readonly WirePart[];
  readonly removedEntryIds?: readonly string[];
  readonly inventory?: readonly Pick<EntryRevision, "id" | "revisionNumber" | "createdAt">[];
  readonly bundles?: readonly WirePart[];
  readonly federationLimits?: readonly WirePart[];
  readonly removedBundles?: readonly string[];
}

/** Well below the 4 MiB that every client takes, so that no message holds up others for long. */
const MAX_MESSAGE_BYTES = 1024 * 1024;
/** Room for what every message carries. */
const OVERHEAD_BYTES = 1024;

const ENTRIES = UpdateSchema.field.entries.number;
const BUNDLES = UpdateSchema.field.bundles.number;
const LIMITS = UpdateSchema.field.federationLimits.number;

/**
 * Cuts an update into messages of less than 1 MiB, unless a single element is larger. All but the last carry `more`. Bundles come
 * first, because entries are of no use without them.
 */
export function* updateMessages(content: UpdateContent): Generator<ServerMessage> {
  let part = new Part(content);
  for (const add of steps(content)) {
    const bytes = add.bytes;
    if (part.bytes + bytes > MAX_MESSAGE_BYTES && part.bytes > OVERHEAD_BYTES) {
      yield part.finish(true);
      part = new Part(content);
    }
    add.to(part);
    part.bytes += bytes;
  }
  yield part.finish(false);
}

interface Step {
  readonly bytes: number;
  to(part: Part): void;
}

function* steps(content: UpdateContent): Generator<Step> {
  for (const data of content.bundles ?? []) {
    yield { bytes: data.length + 4, to: (part) => part.addEncoded(BUNDLES, data) };
  }
  for (const data of content.federationLimits ?? []) {
    yield { bytes: data.length + 4, to: (part) => part.addEncoded(LIMITS, data) };
  }
  for (const name of content.removedBundles ?? []) {
    yield { bytes: name.length + 4, to: (part) => part.update.removedBundles.push(name) };
  }
  for (const data of content.entries ?? []) {
    yield { bytes: data.length + 4, to: (part) => part.addEncoded(ENTRIES, data) };
  }
  for (const id of content.removedEntryIds ?? []) {
    yield { bytes: id.length + 4, to: (part) => part.update.removedEntryIds.push(id) };
  }
  for (const item of content.inventory ?? []) {
    yield { bytes: item.id.length + 32, to: (part) => part.addInventory(item) };
  }
}

class Part {
  readonly update: Update;
  bytes: number = OVERHEAD_BYTES;

  constructor(content: UpdateContent) {
    const { kind, cursor, revocationEpoch, authorizationDigest } = content;
    this.update = create(UpdateSchema, { kind, cursor, revocationEpoch, authorizationDigest });
    this.update.$unknown = [];
  }

  // Elements that are encoded already travel as fields that the message does not know; on the wire they are what they are.
  addEncoded(no: number, data: Uint8Array): void {
    this.update.$unknown?.push({ no, wireType: WireType.LengthDelimited, data });
  }

  addInventory(item: NonNullable<UpdateContent["inventory"]>[number]): void {
    const { id, revisionNumber, createdAt } = item;
    this.update.inventory.push(create(EntryRevisionSchema, { id, revisionNumber, createdAt }));
  }

  finish(more: boolean): ServerMessage {
    this.update.more = more;
    return create(ServerMessageSchema, { message: { case: "update", value: this.update } });
  }
}
