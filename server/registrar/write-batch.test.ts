import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Status } from "../../runtime/errors/status-error.ts";
import { clusterStaticEntry, registrarRules } from "../../test/support/cluster-objects.ts";
import { staticEntry } from "./desired-entries.ts";
import { type DesiredEntry, groupOf } from "./desired-entry.ts";
import type { ItemOutcome } from "./entry-api.ts";
import { EntryBook } from "./entry-book.ts";
import { WriteBatch } from "./write-batch.ts";

/** The entry of a ClusterStaticEntry; they all grant the same. */
function entryOf(name: string): DesiredEntry {
  const entry = staticEntry(clusterStaticEntry(name), registrarRules());
  assert.ok("spiffeId" in entry);
  return entry;
}

/** What becomes of a batch that creates an entry where the server has one already. */
async function created(wanted: DesiredEntry, existing: DesiredEntry) {
  const group = groupOf(wanted);
  const batch = new WriteBatch();
  batch.add(group, { create: [wanted], update: [], remove: [] }, 0);
  const book = new EntryBook();
  const inTheWay = { ...existing, id: "e1" };
  const refusal: ItemOutcome = {
    ok: false,
    code: Status.ALREADY_EXISTS,
    message: "similar entry exists",
    existing: inTheWay,
  };
  const api = { create: async () => [refusal], update: async () => [], delete: async () => [] };
  await batch.write(api, book, "east", AbortSignal.abort());
  return {
    known: book.of(group).map(({ id }) => id),
    size: book.size,
    again: [...batch.again],
    problems: batch.problemsOf(group).map(({ message }) => message),
  };
}

describe("WriteBatch", () => {
  it("takes over an entry of the group that it did not know of", async () => {
    const outcome = await created(entryOf("a"), entryOf("a"));
    assert.deepEqual(outcome, {
      known: ["e1"],
      size: 1,
      again: ["static:uid-ClusterStaticEntry-a"],
      problems: [],
    });
  });

  it("leaves an entry of another group to that group, and does not ask again at once", async () => {
    const outcome = await created(entryOf("b"), entryOf("a"));
    assert.deepEqual(outcome, {
      known: [],
      size: 0,
      again: [],
      problems: ["another resource grants the same: ClusterStaticEntry a"],
    });
  });
});
