// SPIFFE-ID 2.1: what is the name of a trust domain. A name is not an ID; the trust domain of an ID has its own way in.

import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { SpiffeId, TrustDomain } from "../../spiffe/id/spiffe-id.ts";
import { checkNewTrustDomainName } from "../../spiffe/id/trust-domain-name.ts";
import { spiffeRefused } from "../support/spiffe-refused.ts";

const valid: readonly string[] = [
  "example.org",
  "td",
  "1.2.3.4",
  "a_b",
  "-",
  "a..b",
  "td.",
  "d0a1c2f4-7a55-4a0c-9e52-8b1f9f4ac001",
  "a".repeat(255),
];

const invalid: readonly string[] = [
  "",
  "Example.org",
  "td:80",
  "td/path",
  "td/",
  "/td",
  "user@td",
  "[::1]",
  "::1",
  "%74d",
  "b\u00fccher",
  "td ",
  " td",
  "td\n",
  "td?x",
  "td#x",
  "*",
  "*.example.org",
  "spiffe:td",
  "//td",
  "td,td2",
  "~td",
  "td+x",
  "spiffe://example.org",
  "spiffe://example.org/path",
  "spiffe:/td/path",
  "spiffe://",
  "spiffe:///path",
  "spiffe://td/",
  "spiffe://td/path/",
  "https://td",
  "SPIFFE://td",
];

suite("SPIFFE-ID 2.1: trust domain names", () => {
  for (const name of valid) {
    test(`2.2 takes the name ${shown(name)}`, () => {
      const trustDomain = TrustDomain.parse(name);
      assert.equal(trustDomain.name, name);
      assert.equal(trustDomain.id.toString(), `spiffe://${name}`);
      assert.ok(SpiffeId.parse(`spiffe://${name}/a/b`).trustDomain.equals(trustDomain));
    });
  }

  for (const name of invalid) {
    test(`2.2 refuses the name ${shown(name)}`, () => {
      const code = name === "" ? "trust_domain_empty" : "trust_domain_char";
      assert.throws(() => TrustDomain.parse(name), spiffeRefused(code));
    });
  }

  test("2.2 refuses a name of 256 bytes", () => {
    assert.throws(
      () => TrustDomain.parse("a".repeat(256)),
      spiffeRefused("trust_domain_too_long", "trust domain must not be longer than 255 bytes"),
    );
  });

  test("2.2 takes the trust domain out of an ID, where the ID is valid", () => {
    assert.equal(SpiffeId.parse("spiffe://example.org").trustDomain.name, "example.org");
    assert.equal(SpiffeId.parse("spiffe://example.org/path").trustDomain.name, "example.org");
    for (const uri of ["spiffe://td/", "spiffe://td/path/", "https://td", "SPIFFE://td"]) {
      assert.throws(() => SpiffeId.parse(uri), { name: "SpiffeError" });
    }
  });
});

suite("SPIFFE-ID 2.1: new trust domains", () => {
  for (const name of ["example.org", "td", "1.2.3.4", "a_b", "xn--bcher-kva.example"]) {
    test(`T12 lets ${shown(name)} be created`, () => checkNewTrustDomainName(name));
  }

  for (const name of ["-", "_", ".", "..", "a..b", "td.", ".td", "-td-", "a.-b"]) {
    test(`T12 reads ${shown(name)} but does not let it be created`, () => {
      assert.equal(TrustDomain.parse(name).name, name);
      assert.throws(() => checkNewTrustDomainName(name), spiffeRefused("trust_domain_unwise"));
    });
  }
});

function shown(name: string): string {
  const text = JSON.stringify(name);
  return text.length <= 60 ? text : `${text.slice(0, 10)}... (${name.length} bytes)`;
}
