import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { create, fromBinary, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import fc from "fast-check";
import { StatusError } from "../../runtime/errors/status-error.ts";
import { TrustDomain } from "../../spiffe/id/trust-domain.ts";
import { refused } from "../../test/support/refused.ts";
import { type Entry, EntryMaskSchema, EntrySchema } from "../gen/spire/api/types/entry_pb.ts";
import { decodeEntryChanges, decodeEntryFields, decodeEntryId } from "./entry.ts";

const exampleTest = TrustDomain.parse("example.test");

type EntryInit = Exclude<MessageInitShape<typeof EntrySchema>, Entry>;

function entryWith(fields: EntryInit): Entry {
  return create(EntrySchema, {
    spiffeId: { trustDomain: "example.test", path: "/web" },
    parentId: { trustDomain: "example.test", path: "/spire/agent/join_token/t" },
    selectors: [{ type: "unix", value: "uid:1" }],
    ...fields,
  });
}

describe("decodeEntryId", () => {
  it("takes what stock servers take", () => {
    assert.equal(decodeEntryId("id", "a.B-c_9"), "a.B-c_9");
  });

  for (const id of ["a/b", "ä", "a b", "a\n"]) {
    it(`refuses ${JSON.stringify(id)}`, () => {
      assert.throws(
        () => decodeEntryId("id", id),
        refused("id: may hold only letters, digits, dots, dashes and underscores"),
      );
    });
  }

  it("refuses the empty and the long", () => {
    assert.throws(() => decodeEntryId("id", ""), refused("id: must not be empty"));
    assert.throws(
      () => decodeEntryId("id", "a".repeat(256)),
      refused("id: must not be longer than 255 bytes"),
    );
  });
});

describe("decodeEntryFields", () => {
  it("reads every field", () => {
    const fields = decodeEntryFields(
      "entry",
      entryWith({
        selectors: [
          { type: "unix", value: "uid:1" },
          { type: "k8s", value: "ns:a" },
        ],
        x509SvidTtl: 60,
        jwtSvidTtl: 30,
        federatesWith: ["spiffe://b.test", "a.test"],
        admin: true,
        downstream: true,
        expiresAt: 100n,
        dnsNames: ["web.test"],
        storeSvid: true,
        hint: "internal",
        additionalAttributes: { disableX509SvidPrefetch: true, jwtSvidIncludeJti: true },
      }),
      exampleTest,
    );
    assert.deepEqual(
      {
        ...fields,
        spiffeId: String(fields.spiffeId),
        parentId: String(fields.parentId),
        federatesWith: fields.federatesWith.map(String),
      },
      {
        spiffeId: "spiffe://example.test/web",
        parentId: "spiffe://example.test/spire/agent/join_token/t",
        selectors: [
          { type: "k8s", value: "ns:a" },
          { type: "unix", value: "uid:1" },
        ],
        x509SvidTtlSeconds: 60,
        jwtSvidTtlSeconds: 30,
        federatesWith: ["a.test", "b.test"],
        admin: true,
        downstream: true,
        expiresAt: new Date(100_000),
        dnsNames: ["web.test"],
        storeSvid: true,
        hint: "internal",
        disableX509SvidPrefetch: true,
        jwtSvidIncludeJti: true,
      },
    );
  });

  const bad: readonly (readonly [string, EntryInit])[] = [
    [
      'entries[2].spiffe_id.trust_domain: must be "example.test"',
      { spiffeId: { trustDomain: "other.test", path: "/web" } },
    ],
    [
      "entries[2].parent_id.path: must not be empty",
      { parentId: { trustDomain: "example.test", path: "" } },
    ],
    ["entries[2].selectors: must not be empty", { selectors: [] }],
    [
      "entries[2].selectors[0].type: must not contain a colon",
      { selectors: [{ type: "unix:uid", value: "1" }] },
    ],
    ["entries[2].x509_svid_ttl: must not be negative", { x509SvidTtl: -1 }],
    ["entries[2].jwt_svid_ttl: must not be negative", { jwtSvidTtl: -1 }],
    [
      "entries[2].federates_with: must not name the server's own trust domain",
      { federatesWith: ["example.test"] },
    ],
    [
      "entries[2].expires_at: must be a time in Unix seconds up to the year 9999",
      { expiresAt: -5n },
    ],
    ["entries[2].dns_names[0]: must not be empty", { dnsNames: [""] }],
    ["entries[2].hint: must not be longer than 1024 bytes", { hint: "é".repeat(513) }],
    ["entries[2].hint: must not contain control characters", { hint: "a\nb" }],
  ];
  for (const [message, fields] of bad) {
    it(`refuses with "${message}"`, () => {
      assert.throws(
        () => decodeEntryFields("entries[2]", entryWith(fields), exampleTest),
        refused(message),
      );
    });
  }

  it("refuses or reads whatever bytes parse as an entry, and throws nothing else", () => {
    const seed = toBinary(EntrySchema, entryWith({ dnsNames: ["a.test"], hint: "x" }));
    const mutation = fc.tuple(fc.nat(seed.length - 1), fc.nat(255));
    fc.assert(
      fc.property(fc.array(mutation, { minLength: 1, maxLength: 4 }), (mutations) => {
        const bytes = Uint8Array.from(seed);
        for (const [position, value] of mutations) bytes[position] = value;
        let entry: Entry;
        try {
          entry = fromBinary(EntrySchema, bytes);
        } catch {
          return;
        }
        try {
          decodeEntryFields("entry", entry, exampleTest);
        } catch (err) {
          assert.ok(err instanceof StatusError);
        }
      }),
    );
  });
});

describe("decodeEntryChanges", () => {
  it("reads everything without a mask", () => {
    const entry = entryWith({ hint: "x" });
    assert.deepEqual(
      decodeEntryChanges("entry", entry, undefined, exampleTest),
      decodeEntryFields("entry", entry, exampleTest),
    );
  });

  it("looks at nothing that the mask does not name", () => {
    const mask = create(EntryMaskSchema, { hint: true, expiresAt: true });
    const update = create(EntrySchema, { hint: "x", x509SvidTtl: -1 });
    assert.deepEqual(decodeEntryChanges("entry", update, mask, exampleTest), {
      hint: "x",
      expiresAt: undefined,
    });
  });

  it("takes additional attributes as one field", () => {
    const mask = create(EntryMaskSchema, { additionalAttributes: true });
    assert.deepEqual(decodeEntryChanges("entry", create(EntrySchema), mask, exampleTest), {
      disableX509SvidPrefetch: false,
      jwtSvidIncludeJti: false,
    });
  });

  it("knows every field of the mask that a caller may write", () => {
    for (const { localName, name } of EntryMaskSchema.fields) {
      if (["revision_number", "created_at"].includes(name)) continue;
      const mask = create(EntryMaskSchema, { [localName]: true });
      const changes = decodeEntryChanges("entry", entryWith({}), mask, exampleTest);
      assert.notDeepEqual(Object.keys(changes), [], name);
    }
  });
});
