import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { create } from "@bufbuild/protobuf";
import { decodeEntryChanges, decodeEntryFields } from "../../proto/convert/entry.ts";
import { EntrySchema } from "../../proto/gen/spire/api/types/entry_pb.ts";
import { invalidArgument, Status } from "../../runtime/errors/status-error.ts";
import { IdPattern } from "../../spiffe/id/id-pattern.ts";
import { TrustDomain } from "../../spiffe/id/trust-domain.ts";
import { FakeClock } from "../../test/fakes/fake-clock.ts";
import { FakeRandom } from "../../test/fakes/fake-random.ts";
import { TestStore } from "../../test/support/test-store.ts";
import { ALL_GRANTS, type Grants } from "../config/roles.ts";
import type { EntryDraft } from "./entry-draft.ts";
import type { EntryRequirements } from "./entry-rules.ts";
import { EntryWrites } from "./entry-writes.ts";

const td = TrustDomain.parse("td.test");
const operator = { grants: ALL_GRANTS, actor: "uid:0" };

function fields(path: string, changes: object = {}) {
  const entry = create(EntrySchema, {
    spiffeId: { trustDomain: "td.test", path },
    parentId: { trustDomain: "td.test", path: "/spire/agent/x509pop/1" },
    selectors: [{ type: "unix", value: `path:${path}` }],
    ...changes,
  });
  return decodeEntryFields("entry", entry, td);
}

function draft(path: string, changes: object = {}, extra: EntryDraft["extra"] = {}): EntryDraft {
  return { fields: fields(path, changes), extra };
}

describe("EntryWrites", () => {
  let store: TestStore;
  let requirements: EntryRequirements = { fields: [], mode: "warn" };
  let writes: EntryWrites;

  before(async () => {
    store = await TestStore.open();
    writes = new EntryWrites({
      store: store.store,
      clock: new FakeClock(),
      random: new FakeRandom(),
      ttlLimits: () => ({ x509Seconds: 86_400, jwtSeconds: 86_400 }),
      requirements: () => requirements,
    });
  });
  after(() => store[Symbol.asyncDispose]());

  it("creates entries with the name of who did", async () => {
    const { outcomes, revision } = await writes.create(
      [draft("/a", {}, { side: { owner: "team-a" } }), { ...draft("/b"), id: "chosen" }],
      operator,
    );
    assert.deepEqual(
      outcomes.map((each) => [each.ok, each.item?.spiffeId, each.item?.side.createdBy]),
      [
        [true, "spiffe://td.test/a", "uid:0"],
        [true, "spiffe://td.test/b", "uid:0"],
      ],
    );
    assert.equal(outcomes[0]?.item?.side.owner, "team-a");
    assert.equal(outcomes[1]?.item?.id, "chosen");
    assert.equal(revision, store.store.revision);
  });

  it("keeps what is wrong with one item to that item", async () => {
    const { outcomes } = await writes.create(
      [invalidArgument("entries[0].x: bad"), draft("/c"), draft("/spire/x"), draft("/a")],
      operator,
    );
    assert.deepEqual(
      outcomes.map((each) => (each.ok ? "ok" : `${each.code} ${each.message}`)),
      [
        "3 entries[0].x: bad",
        "ok",
        "3 an entry's own SPIFFE ID must not be under /spire",
        "6 similar entry already exists",
      ],
    );
    assert.equal(outcomes[3]?.item?.spiffeId, "spiffe://td.test/a");
  });

  it("names the largest lifetime that can be met", async () => {
    const { outcomes } = await writes.create([draft("/ttl", { x509SvidTtl: 86_401 })], operator);
    assert.deepEqual(outcomes[0], {
      ok: false,
      code: Status.INVALID_ARGUMENT,
      message: "x509_svid_ttl: no authority lives long enough for it; the largest possible is 1d",
      warnings: [],
    });
  });

  it("changes only what is given, and raises the revision number", async () => {
    const entry = create(EntrySchema, { hint: "new" });
    const change = decodeEntryChanges("entry", entry, { hint: true } as never, td);
    const { outcomes } = await writes.update(
      [
        { id: "chosen", fields: change, extra: { side: { purpose: "tests" } } },
        { id: "absent", fields: change, extra: {} },
      ],
      operator,
    );
    const [changed, absent] = outcomes;
    assert.equal(changed?.item?.hint, "new");
    assert.equal(changed?.item?.spiffeId, "spiffe://td.test/b");
    assert.equal(changed?.item?.revisionNumber, 1);
    assert.equal(changed?.item?.side.purpose, "tests");
    assert.equal(absent?.ok === false && absent.code, Status.NOT_FOUND);
  });

  it("changes nothing in a dry run", async () => {
    const { revision } = store.store;
    const { outcomes } = await writes.create([draft("/dry")], operator, { dryRun: true });
    assert.equal(outcomes[0]?.ok, true);
    assert.equal(store.store.revision, revision);
    await writes.delete(["chosen"], operator, { dryRun: true });
    assert.ok(await store.store.read("getEntry", { id: "chosen" }));
  });

  it("holds a registrar to its scope, also for what it would change or delete", async () => {
    const grants: Grants = {
      roles: new Set(["registrar"]),
      registrar: { ids: [IdPattern.parse("/team/**")] },
    };
    const registrar = { grants, actor: "spiffe://td.test/registrar" };
    const created = await writes.create([draft("/team/x"), draft("/other/x")], registrar);
    assert.deepEqual(
      created.outcomes.map((each) => (each.ok ? "ok" : each.code)),
      ["ok", Status.PERMISSION_DENIED],
    );
    const { outcomes } = await writes.update(
      [{ id: "chosen", fields: { spiffeId: fields("/team/b").spiffeId }, extra: {} }],
      registrar,
    );
    assert.equal(outcomes[0]?.ok === false && outcomes[0].code, Status.PERMISSION_DENIED);
    const deleted = await writes.delete(["chosen"], registrar);
    assert.equal(deleted.outcomes[0]?.ok, false);
    const flagged = await writes.create([draft("/team/y", { admin: true })], registrar);
    assert.equal(flagged.outcomes[0]?.ok, false);
  });

  it("warns of what an entry does not say about itself, or refuses it", async () => {
    requirements = { fields: ["owner", "purpose"], mode: "warn" };
    const warned = await writes.create([draft("/w", {}, { side: { owner: "x" } })], operator);
    assert.deepEqual(warned.outcomes[0]?.warnings, ["entry has no purpose"]);
    requirements = { fields: ["owner", "purpose"], mode: "refuse" };
    const { outcomes } = await writes.create([draft("/r")], operator);
    assert.equal(
      outcomes[0]?.ok === false && outcomes[0].message,
      "entry must name its owner and purpose",
    );
    requirements = { fields: [], mode: "warn" };
  });

  it("decides again when the entry changed between the look and the write", async () => {
    const { outcomes } = await writes.create([draft("/race")], operator);
    const id = outcomes[0]?.item?.id ?? "";
    let races = 1;
    const racing = new EntryWrites({
      store: {
        get revision() {
          return store.store.revision;
        },
        read: (operation, input) => store.store.read(operation, input),
        write: async (operation, input, options) => {
          if (races-- > 0) {
            const updates = [{ id, set: { hint: "first" } }];
            await store.store.write("updateEntries", { updates, actor: "other" });
          }
          return store.store.write(operation, input, options);
        },
      },
      clock: new FakeClock(),
      random: new FakeRandom(),
      ttlLimits: () => ({ x509Seconds: 86_400, jwtSeconds: 86_400 }),
      requirements: () => requirements,
    });
    const change = { id, fields: { hint: "second" }, extra: {} };
    const updated = await racing.update([change], operator);
    assert.equal(updated.outcomes[0]?.item?.hint, "second");
    assert.equal(updated.outcomes[0]?.item?.revisionNumber, 2);
  });

  it("deletes", async () => {
    const { outcomes } = await writes.delete(["chosen", "absent"], operator);
    assert.deepEqual(
      outcomes.map((each) => each.ok),
      [true, false],
    );
    assert.equal(await store.store.read("getEntry", { id: "chosen" }), undefined);
  });
});
