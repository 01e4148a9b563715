import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { create } from "@bufbuild/protobuf";
import fc from "fast-check";
import { StatusError } from "../../runtime/errors/status-error.ts";
import { SpiffeId } from "../../spiffe/id/spiffe-id.ts";
import { TrustDomain } from "../../spiffe/id/trust-domain.ts";
import { refused } from "../../test/support/refused.ts";
import { type SPIFFEID, SPIFFEIDSchema } from "../gen/spire/api/types/spiffeid_pb.ts";
import {
  decodeMemberId,
  decodeSpiffeId,
  decodeTrustDomain,
  decodeTrustDomains,
  encodeSpiffeId,
} from "./id.ts";

const exampleTest = TrustDomain.parse("example.test");

function wire(trustDomain: string, path: string): SPIFFEID {
  return create(SPIFFEIDSchema, { trustDomain, path });
}

describe("decodeSpiffeId", () => {
  for (const uri of ["spiffe://example.test", "spiffe://example.test/a/b"]) {
    it(`reads ${uri} back as it was written`, () => {
      const id = SpiffeId.parse(uri);
      assert.ok(decodeSpiffeId("id", encodeSpiffeId(id)).equals(id));
    });
  }

  it("names the part that is wrong", () => {
    assert.throws(() => decodeSpiffeId("entry.spiffe_id", undefined), {
      ...refused("entry.spiffe_id: is required"),
    });
    assert.throws(
      () => decodeSpiffeId("id", wire("Example", "/a")),
      /^StatusError: id\.trust_domain: /,
    );
    assert.throws(
      () => decodeSpiffeId("id", wire("example.test", "a")),
      /^StatusError: id\.path: /,
    );
  });

  it("refuses an ID beyond 2048 bytes", () => {
    const prefix = "spiffe://example.test/".length;
    const fits = wire("example.test", `/${"a".repeat(2048 - prefix)}`);
    assert.equal(decodeSpiffeId("id", fits).toString().length, 2048);
    assert.throws(
      () => decodeSpiffeId("id", wire("example.test", `${fits.path}a`)),
      refused("id.path: SPIFFE ID must not be longer than 2048 bytes"),
    );
  });

  it("gives an ID with exactly these parts or refuses, whatever it is sent", () => {
    fc.assert(
      fc.property(fc.string(), fc.string(), (trustDomain, path) => {
        try {
          const id = decodeSpiffeId("id", wire(trustDomain, path));
          assert.equal(id.toString(), `spiffe://${trustDomain}${path}`);
        } catch (err) {
          assert.ok(err instanceof StatusError);
        }
      }),
    );
  });
});

describe("decodeMemberId", () => {
  it("takes what lives in the trust domain", () => {
    const id = decodeMemberId("id", wire("example.test", "/web"), exampleTest);
    assert.equal(id.toString(), "spiffe://example.test/web");
  });

  it("refuses the foreign, and the trust domain itself", () => {
    assert.throws(
      () => decodeMemberId("id", wire("other.test", "/web"), exampleTest),
      refused('id.trust_domain: must be "example.test"'),
    );
    assert.throws(
      () => decodeMemberId("id", wire("example.test", ""), exampleTest),
      refused("id.path: must not be empty"),
    );
  });
});

describe("decodeTrustDomain", () => {
  it("takes a name and its SPIFFE ID", () => {
    for (const text of ["example.test", "spiffe://example.test"]) {
      assert.ok(decodeTrustDomain("trust_domain", text).equals(exampleTest));
    }
  });

  it("refuses an ID with a path", () => {
    assert.throws(
      () => decodeTrustDomain("trust_domain", "spiffe://example.test/web"),
      refused("trust_domain: must be a trust domain, not an ID with a path"),
    );
  });
});

describe("decodeTrustDomains", () => {
  it("sorts and takes each once", () => {
    const names = decodeTrustDomains("list", ["b.test", "a.test", "spiffe://b.test"]).map(String);
    assert.deepEqual(names, ["a.test", "b.test"]);
  });

  it("names the position of a bad one", () => {
    assert.throws(() => decodeTrustDomains("list", ["a.test", ""]), /^StatusError: list\[1\]: /);
  });
});
