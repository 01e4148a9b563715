import assert from "node:assert/strict";
import { generateKeyPairSync } from "node:crypto";
import { describe, it } from "node:test";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { Bundle } from "../../spiffe/bundle/bundle.ts";
import { TrustDomain } from "../../spiffe/id/trust-domain.ts";
import { refused } from "../../test/support/refused.ts";
import { BundleSchema } from "../gen/spire/api/types/bundle_pb.ts";
import { decodeBundle, encodeBundle } from "./bundle.ts";

const { publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
const spki = publicKey.export({ format: "der", type: "spki" });

describe("bundles on the wire", () => {
  it("come back as they went", () => {
    const expiresAt = new Date("2030-01-01T00:00:00Z");
    const bundle = new Bundle(TrustDomain.parse("example.org"), {
      jwtAuthorities: [{ keyId: "a", publicKey, expiresAt, tainted: true }],
      sequence: 2n ** 63n + 1n,
      refreshHintSeconds: 300,
    });
    const bytes = toBinary(BundleSchema, create(BundleSchema, encodeBundle(bundle)));
    const decoded = decodeBundle("bundle", fromBinary(BundleSchema, bytes));
    assert.ok(decoded.equals(bundle));
    assert.deepEqual(decoded.jwtAuthorities.get("a")?.expiresAt, expiresAt);
    assert.equal(decoded.jwtAuthorities.get("a")?.tainted, true);
  });

  it("are refused with the field that is wrong", () => {
    const bad = (changes: object) => (): unknown =>
      decodeBundle("bundle", create(BundleSchema, { trustDomain: "example.org", ...changes }));
    assert.throws(
      bad({ jwtAuthorities: [{ keyId: "a", publicKey: spki }, { publicKey: new Uint8Array(9) }] }),
      refused("bundle.jwt_authorities[1].public_key: public key is invalid or not supported"),
    );
    assert.throws(bad({ trustDomain: "Example.org" }), /bundle\.trust_domain: /);
    assert.throws(bad({ x509Authorities: [{ asn1: new Uint8Array(3) }] }), {
      name: "StatusError",
      message: /^bundle\.x509_authorities\[0\]\.asn1: /,
    });
  });
});
