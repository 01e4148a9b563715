import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import {
  Update_Kind as Kind,
  ServerMessageSchema,
  type Update,
} from "../../proto/gen/assay/sync/v1/sync_pb.ts";
import { BundleSchema } from "../../proto/gen/spire/api/types/bundle_pb.ts";
import { authorizedEntry } from "../../test/support/entries.ts";
import { type UpdateContent, updateMessages } from "./update-messages.ts";
import { WireParts } from "./wire-parts.ts";

const parts = new WireParts();
const base = {
  kind: Kind.SNAPSHOT,
  cursor: { incarnation: "a", revision: 7n },
  revocationEpoch: 3n,
  authorizationDigest: new Uint8Array([1]),
};

/** The messages as an agent reads them, with their sizes. */
const sent = (content: UpdateContent): { update: Update; bytes: number }[] =>
  [...updateMessages(content)].map((message) => {
    const wire = toBinary(ServerMessageSchema, message);
    const read = fromBinary(ServerMessageSchema, wire).message;
    assert.equal(read.case, "update");
    return { update: read.value as Update, bytes: wire.length };
  });

describe("updateMessages", () => {
  it("says everything in one message if it fits", () => {
    const bundle = create(BundleSchema, { trustDomain: "example.test", sequenceNumber: 9n });
    const [only, ...others] = sent({
      ...base,
      entries: [parts.entry(authorizedEntry("a")), parts.entry(authorizedEntry("b"))],
      removedEntryIds: ["c"],
      bundles: [parts.bundle(bundle)],
      removedBundles: ["gone.test"],
    });
    assert.equal(others.length, 0);
    const { update } = only ?? assert.fail();
    assert.deepEqual(
      update.entries.map(({ entry }) => entry?.id),
      ["a", "b"],
    );
    assert.equal(update.entries[0]?.entry?.spiffeId?.path, "/a");
    assert.deepEqual(update.removedEntryIds, ["c"]);
    assert.equal(update.bundles[0]?.sequenceNumber, 9n);
    assert.deepEqual(update.removedBundles, ["gone.test"]);
    assert.equal(update.more, false);
    assert.equal(update.cursor?.revision, 7n);
    assert.equal(update.revocationEpoch, 3n);
    assert.deepEqual([...update.authorizationDigest], [1]);
  });

  it("has something to say even about nothing", () => {
    assert.equal(sent(base).length, 1);
  });

  it("cuts a large set into messages below 1 MiB, and loses none of it", () => {
    const entries = Array.from({ length: 20_000 }, (_, i) =>
      parts.entry(authorizedEntry(`entry-${i}`, { hint: "x".repeat(100) })),
    );
    const messages = sent({ ...base, entries });
    assert.ok(messages.length > 3);
    for (const { bytes } of messages) assert.ok(bytes < 1024 * 1024, `${bytes} bytes`);
    assert.deepEqual(
      messages.map(({ update }) => update.more),
      messages.map((_, i) => i < messages.length - 1),
    );
    const ids = messages.flatMap(({ update }) => update.entries.map(({ entry }) => entry?.id));
    assert.equal(new Set(ids).size, 20_000);
  });

  it("cuts a large inventory", () => {
    const inventory = Array.from({ length: 30_000 }, (_, i) => ({
      id: `entry-${i}`,
      revisionNumber: BigInt(i),
      createdAt: 1_772_366_400n,
    }));
    const messages = sent({ ...base, kind: Kind.INVENTORY, inventory });
    assert.ok(messages.length > 1);
    const read = messages.flatMap(({ update }) => update.inventory);
    assert.equal(read.length, 30_000);
    assert.equal(read[29_999]?.revisionNumber, 29_999n);
  });
});

describe("WireParts", () => {
  it("encodes an entry once per revision", () => {
    const entry = authorizedEntry("a");
    assert.equal(parts.entry(entry), parts.entry({ ...entry }));
    assert.notEqual(parts.entry(entry), parts.entry({ ...entry, revisionNumber: 1 }));
  });
});
