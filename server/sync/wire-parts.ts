import { create, type DescMessage, type MessageShape, toBinary } from "@bufbuild/protobuf";
import { BinaryWriter } from "@bufbuild/protobuf/wire";
import { encodeFederationLimits } from "../../proto/convert/federation-limits.ts";
import { FederationLimitsSchema } from "../../proto/gen/assay/federation/v1/limits_pb.ts";
import { AuthorizedEntrySchema } from "../../proto/gen/assay/sync/v1/sync_pb.ts";
import {
  BundleSchema,
  type Bundle as WireBundle,
} from "../../proto/gen/spire/api/types/bundle_pb.ts";
import type { FederationLimits } from "../../spiffe/bundle/federation-limits.ts";
import { encodeEntryRecord } from "../entries/entry-message.ts";
import type { AuthorizedEntryRecord } from "../store/records.ts";

/** An element of a repeated message field as it stands on the wire: its length, then its bytes. */
export type WirePart = Uint8Array;

/** Entries that are remembered: enough for the changes that are on their way to all agents at the same time. */
const MAX_ENTRIES = 1_000;

/** Encodes what agents are sent, and remembers it: a change that concerns ten thousand agents is encoded once. */
export class WireParts {
  readonly #entries = new Map<string, WirePart>();
  readonly #bundles = new WeakMap<WireBundle, WirePart>();
  readonly #limits = new WeakMap<FederationLimits, WirePart>();

  /** The entry as an agent sees it. */
  entry(record: AuthorizedEntryRecord): WirePart {
    // An ID that is deleted and given anew may start over with its revision, hence the time.
    const key = `${record.id} ${record.revisionNumber} ${record.createdAt}`;
    const known = this.#entries.get(key);
    if (known !== undefined) return known;
    const message = create(AuthorizedEntrySchema, {
      entry: encodeEntryRecord(record),
      instanceScope: record.instanceScope,
      allowedAudiences: [...record.allowedAudiences],
      unrestrictedFederation: [...record.unrestrictedFederation],
    });
    const part = encodePart(AuthorizedEntrySchema, message);
    const [oldest] = this.#entries.keys();
    if (this.#entries.size >= MAX_ENTRIES && oldest !== undefined) this.#entries.delete(oldest);
    this.#entries.set(key, part);
    return part;
  }

  /** The bundle as everybody sees it. The same message object means the same bundle. */
  bundle(message: WireBundle): WirePart {
    const known = this.#bundles.get(message);
    if (known !== undefined) return known;
    const part = encodePart(BundleSchema, message);
    this.#bundles.set(message, part);
    return part;
  }

  /** How far a trust domain is trusted. The same object means the same limits, of the same trust domain. */
  limits(trustDomain: string, limits: FederationLimits): WirePart {
    const known = this.#limits.get(limits);
    if (known !== undefined) return known;
    const part = encodePart(FederationLimitsSchema, encodeFederationLimits(trustDomain, limits));
    this.#limits.set(limits, part);
    return part;
  }
}

function encodePart<D extends DescMessage>(schema: D, message: MessageShape<D>): WirePart {
  return new BinaryWriter().bytes(toBinary(schema, message)).finish();
}
