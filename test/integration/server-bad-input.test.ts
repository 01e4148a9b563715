// What the server says to input that is wrong, over its real sockets.

import assert from "node:assert/strict";
import { generateKeyPairSync, sign } from "node:crypto";
import { after, before, describe, it } from "node:test";
import { Entry } from "../../proto/gen/spire/api/server/entry/v1/entry_pb.ts";
import { SVID } from "../../proto/gen/spire/api/server/svid/v1/svid_pb.ts";
import { Status } from "../../runtime/errors/status-error.ts";
import { SpiffeId } from "../../spiffe/id/spiffe-id.ts";
import { createCsr } from "../../spiffe/x509/create-csr.ts";
import * as der from "../../spiffe/x509/der-writer.ts";
import { BareAgent } from "../support/bare-agent.ts";
import { Machine } from "../support/machine.ts";
import { ecdsaSha256, uriSan } from "../support/test-ca.ts";

const webId = SpiffeId.parse("spiffe://example.test/web");

function csrFor(): Uint8Array {
  const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  return createCsr({ privateKey, spiffeId: webId });
}

/** A certificate request that is right but for its key, which createCsr refuses to make. */
function csrOnCurve(namedCurve: string): Uint8Array {
  const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve });
  const extensions = der.setOf(der.sequence(uriSan(webId.toString())));
  const info = der.sequence(
    der.integer(0),
    der.sequence(),
    publicKey.export({ type: "spki", format: "der" }),
    der.context(0, der.sequence(der.oid("1.2.840.113549.1.9.14"), extensions)),
  );
  const signature = der.bitString(sign("sha256", info, privateKey));
  return der.sequence(info, ecdsaSha256.identifier, signature);
}

function withBadSignature(): Uint8Array {
  const csr = csrFor().slice();
  // The end of the signature's second number: well-formed, and wrong.
  const at = csr.length - 3;
  csr[at] = (csr[at] ?? 0) ^ 1;
  return csr;
}

describe("the server, given input that is wrong", () => {
  let machine: Machine;
  let agent: BareAgent;
  let entryId: string;
  before(async () => {
    machine = await Machine.open();
    await machine.local.startServer();
    agent = await BareAgent.attest(machine.bareAgents);
    const { results } = await createEntries([entry({})]);
    entryId = results[0]?.entry?.id ?? "";
    assert.notEqual(entryId, "");
  });
  after(async () => {
    agent[Symbol.dispose]();
    await machine[Symbol.asyncDispose]();
  });

  const entry = (fields: object) => ({
    spiffeId: { trustDomain: "example.test", path: "/web" },
    parentId: { trustDomain: "example.test", path: agent.path },
    selectors: [{ type: "unix", value: "uid:1" }],
    ...fields,
  });
  const createEntries = (entries: readonly object[]) =>
    machine.local.server.client(Entry).batchCreateEntry({ entries: [...entries] }, machine.call);
  const mint = (csr: Uint8Array) =>
    machine.local.server.client(SVID).mintX509SVID({ csr, ttl: 60 }, machine.call);

  const csrs: readonly (readonly [string, () => Uint8Array, RegExp])[] = [
    ["that is empty", () => new Uint8Array(), /^csr/],
    ["that is no DER", () => Buffer.from("a CSR"), /^csr/],
    ["whose signature is wrong", withBadSignature, /not signed with its own key/],
    ["for a key on another curve", () => csrOnCurve("secp256k1"), /curve|key/],
    ["for a key on a curve that is too small", () => csrOnCurve("P-224"), /curve|key/],
    ["with trailing bytes", () => Buffer.concat([csrFor(), Buffer.of(0)]), /trailing|after|extra/],
    ["of 1 MiB", () => Buffer.concat([csrFor(), Buffer.alloc(1 << 20)]), /^csr/],
  ];

  for (const [what, csr, message] of csrs) {
    it(`refuses a CSR ${what}, from an administrator and from an agent`, async () => {
      const refusal = { name: "StatusError", code: Status.INVALID_ARGUMENT, message };
      await assert.rejects(mint(csr()), refusal);
      const params = [
        { entryId, csr: csrFor() },
        { entryId, csr: csr() },
      ];
      const { results } = await agent.client(SVID).batchNewX509SVID({ params }, machine.call);
      // The other one of the batch is not affected.
      assert.deepEqual(
        results.map(({ status }) => status?.code),
        [Status.OK, Status.INVALID_ARGUMENT],
      );
      assert.match(results[1]?.status?.message ?? "", message);
    });
  }

  const entries: readonly (readonly [string, object, RegExp])[] = [
    ["without an ID", { spiffeId: undefined }, /^entries\[1\]\.spiffe_id/],
    [
      "with a path that is none",
      { spiffeId: { trustDomain: "example.test", path: "/a/../b" } },
      /^entries\[1\]\.spiffe_id/,
    ],
    [
      "of a foreign trust domain",
      { spiffeId: { trustDomain: "other.test", path: "/web" } },
      /^entries\[1\]\.spiffe_id.*example\.test/,
    ],
    [
      "for a reserved ID",
      { spiffeId: { trustDomain: "example.test", path: "/spire/server" } },
      /reserved|\/spire/,
    ],
    [
      "with a foreign parent",
      { parentId: { trustDomain: "other.test", path: "/a" } },
      /^entries\[1\]\.parent_id/,
    ],
    ["without selectors", { selectors: [] }, /^entries\[1\]\.selectors/],
    [
      "with 10,000 selectors",
      {
        selectors: Array.from({ length: 10_000 }, (_, n) => ({ type: "unix", value: `uid:${n}` })),
      },
      /^entries\[1\]\.selectors: has 10000 items, at most 256 are allowed$/,
    ],
    ["with a lifetime below zero", { x509SvidTtl: -1 }, /^entries\[1\]\.x509_svid_ttl/],
    ["with a lifetime that can never be met", { x509SvidTtl: 10_000_000 }, /\d/],
    ["with a DNS name that is none", { dnsNames: ["a b"] }, /^entries\[1\]\.dns_names/],
  ];

  for (const [what, fields, message] of entries) {
    it(`refuses an entry ${what}, and no other of the batch`, async () => {
      const good = entry({ selectors: [{ type: "test", value: what }] });
      const { results } = await createEntries([good, entry(fields)]);
      assert.equal(results[0]?.status?.code, Status.OK);
      assert.notEqual(results[1]?.status?.code, Status.OK);
      assert.match(results[1]?.status?.message ?? "", message);
    });
  }

  it("refuses a message beyond the limit, and goes on to serve the connection", async () => {
    const selectors = [{ type: "unix", value: "x".repeat(5 << 20) }];
    await assert.rejects(createEntries([entry({ selectors })]), {
      name: "StatusError",
      code: Status.RESOURCE_EXHAUSTED,
    });
    const { count } = await machine.local.server.client(Entry).countEntries({}, machine.call);
    assert.ok(count > 0);
  });

  it("answers with the existing entry when asked for the same again", async () => {
    const { results } = await createEntries([entry({})]);
    assert.equal(results[0]?.status?.code, Status.ALREADY_EXISTS);
    assert.equal(results[0]?.entry?.id, entryId);
  });
});
