import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { newEntry, selector } from "../../../test/support/entries.ts";
import type { Change } from "../commit.ts";
import type { ItemResult } from "../contract/operation.ts";
import { newRecords } from "../operations/entries/new-records.ts";
import type { EntryRecord } from "../records.ts";
import {
  receiveCommit,
  receiveOutcome,
  receiveRequest,
  sendCommit,
  sendOutcome,
  sendRequest,
} from "./sent-creations.ts";

const { side } = newEntry("any");

const input = {
  entries: [
    newEntry("a", { side }),
    newEntry("b", { side, selectors: [selector("unix:uid:2"), selector("unix:gid:1")] }),
    newEntry("c", { side, federatesWith: ["z.test", "a.test"], dnsNames: ["c"] }),
    newEntry("d", { side, federatesWith: ["a.test", "z.test"], dnsNames: ["c"] }),
    newEntry("e", { parentId: "spiffe://example.test/other", side: { ...side, owner: "team" } }),
    newEntry("f", { side, hint: "two\nlines", admin: true, expiresAt: 9 }),
    newEntry("g", { side }),
  ],
  now: 7,
  actor: "uid:0",
};

describe("a request for entries", () => {
  it("arrives as it was asked, in canonical order", () => {
    const { sent, records } = sendRequest({
      operation: "createEntries",
      input,
      dryRun: false,
      at: 5,
    });
    const received = receiveRequest(structuredClone(sent));
    assert.equal(received.operation, "createEntries");
    assert.ok(received.operation === "createEntries");
    assert.deepEqual(newRecords(received.input), newRecords(input));
    assert.deepEqual(records, newRecords(input));
    assert.deepEqual([received.dryRun, received.at], [false, 5]);
  });

  it("says what entries have in common once", () => {
    const { sent } = sendRequest({ operation: "createEntries", input, dryRun: false, at: 5 });
    assert.ok(sent.operation === "createEntries");
    const { entries } = sent.input;
    assert.equal(entries.parentIds.length, 3);
    assert.equal(entries.terms.length, 5);
    assert.deepEqual(entries.sidePlaces, [0, 0, 0, 0, 1, 2, 2]);
  });

  it("leaves other writes alone", () => {
    const request = {
      operation: "putSetting",
      input: { key: "a", value: "b" },
      dryRun: false,
      at: 5,
    } as const;
    const { sent, records } = sendRequest(request);
    assert.equal(sent, request);
    assert.equal(records, undefined);
    assert.equal(receiveRequest(sent), request);
  });
});

describe("what became of entries", () => {
  it("is the record that was asked for, or the refusal", () => {
    const records = newRecords(input);
    const results = newRecords(input).map(
      (item, place): ItemResult<EntryRecord> =>
        place === 2 ? { ok: false, code: 6, message: "similar", item } : { ok: true, item },
    );
    const received = receiveOutcome(records, structuredClone(sendOutcome(results)));
    assert.deepEqual(received, results);
  });
});

describe("a commit with new entries", () => {
  it("has every change in its place, and the records that their creators kept", () => {
    const first = newRecords(input);
    const second = newRecords({ ...input, entries: [newEntry("x"), newEntry("y")] });
    const other: Change = { kind: "cluster", id: "c", action: "delete" };
    const [a, b, c] = first;
    const [x, y] = second;
    assert.ok(a && b && c && x && y);
    const create = (after: EntryRecord): Change => ({
      kind: "entry",
      id: after.id,
      action: "create",
      after,
    });
    // Entries that another operation made have no task that kept them.
    const alias = create({ ...a, id: "alias" });
    const changes = [create(a), create(c), other, alias, create(x), create(y)];
    const refused: ItemResult<EntryRecord> = { ok: false, code: 6, message: "similar" };
    const created = new Map([
      [3, [{ ok: true, item: a }, refused, { ok: true, item: c }] as const],
      [4, [{ ok: true, item: x } as const, { ok: true, item: y } as const]],
    ]);
    const sent = structuredClone(sendCommit({ revision: 8n, changes }, created));
    assert.deepEqual(sent.changes, [
      { kind: "created", task: 3, places: [0, 2] },
      other,
      alias,
      { kind: "created", task: 4, places: [0, 1] },
    ]);
    const kept = new Map([
      [3, first],
      [4, second],
    ]);
    const received = receiveCommit(sent, (task) => kept.get(task) ?? []);
    assert.deepEqual(received, { revision: 8n, changes });
    assert.throws(() => receiveCommit(sent, () => []), /task 3 has no entry 0/);
  });
});
