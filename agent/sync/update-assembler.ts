import { create } from "@bufbuild/protobuf";
import { type Update, UpdateSchema } from "../../proto/gen/assay/sync/v1/sync_pb.ts";

/** Far beyond the entries that one agent may hold; a server that sends more is out of its mind. */
const MAX_ITEMS = 500_000;

/**
 * Puts together updates that came in several messages. Nothing of an update is looked at before its last message is here, so
 * that an agent never acts on half of one.
 */
export class UpdateAssembler {
  #parts: Update | undefined;
  #items = 0;

  /** Takes the next message; returns the update when it is complete. @throws {Error} when messages do not belong together */
  add(part: Update): Update | undefined {
    this.#items += part.entries.length + part.removedEntryIds.length + part.inventory.length;
    if (this.#items > MAX_ITEMS) throw new Error("sync: the update is too large");
    const whole = this.#parts === undefined ? part : merge(this.#parts, part);
    if (part.more) {
      this.#parts = whole;
      return undefined;
    }
    this.#parts = undefined;
    this.#items = 0;
    return whole;
  }
}

function merge(first: Update, next: Update): Update {
  if (first.kind !== next.kind) throw new Error("sync: the update changed its kind halfway");
  return create(UpdateSchema, {
    ...next,
    entries: [...first.entries, ...next.entries],
    removedEntryIds: [...first.removedEntryIds, ...next.removedEntryIds],
    inventory: [...first.inventory, ...next.inventory],
    bundles: [...first.bundles, ...next.bundles],
    federationLimits: [...first.federationLimits, ...next.federationLimits],
    removedBundles: [...first.removedBundles, ...next.removedBundles],
    revocations: [...first.revocations, ...next.revocations],
  });
}
