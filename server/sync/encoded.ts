import { create, type DescMessage, type MessageShape, toBinary } from "@bufbuild/protobuf";
import { BinaryWriter } from "@bufbuild/protobuf/wire";
import { AuthorizedEntrySchema } from "../../proto/gen/assay/sync/v1/sync_pb.ts";
import {
  BundleSchema,
  type Bundle as WireBundle,
} from "../../proto/gen/spire/api/types/bundle_pb.ts";
import { encodeEntryRecord } from "../entries/entry-message.ts";
import type { AuthorizedEntryRecord } from "../store/records.ts";

/** An element of a repeated message field as it stands on the wire: its length, then its bytes. */
export type EncodedElement = Uint8Array;

// A change that concerns ten thousand agents is encoded once: the records of the index and the bundles' messages are immutable
// and shared, so what they were encoded to can hang on them. It goes when they go.
const entries = new WeakMap<AuthorizedEntryRecord, EncodedElement>();
const bundles = new WeakMap<WireBundle, EncodedElement>();

/** The entry as an agent sees it. */
export function encodedEntry(record: AuthorizedEntryRecord): EncodedElement {
  const known = entries.get(record);
  if (known !== undefined) return known;
  const message = create(AuthorizedEntrySchema, {
    entry: encodeEntryRecord(record),
    instanceScope: record.instanceScope,
    allowedAudiences: [...record.allowedAudiences],
  });
  const encoded = encodeElement(AuthorizedEntrySchema, message);
  entries.set(record, encoded);
  return encoded;
}

/** The bundle as everybody sees it. */
export function encodedBundle(message: WireBundle): EncodedElement {
  const known = bundles.get(message);
  if (known !== undefined) return known;
  const encoded = encodeElement(BundleSchema, message);
  bundles.set(message, encoded);
  return encoded;
}

function encodeElement<D extends DescMessage>(schema: D, message: MessageShape<D>): EncodedElement {
  return new BinaryWriter().bytes(toBinary(schema, message)).finish();
}
