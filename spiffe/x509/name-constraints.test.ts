import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { spiffeRefused } from "../../test/support/spiffe-refused.ts";
import type { GeneralName } from "./general-names.ts";
import { checkNameConstraints } from "./name-constraints.ts";

const uri = (text: string): GeneralName => ({ kind: "uri", text });
const dns = (text: string): GeneralName => ({ kind: "dns", text });

function permits(constraint: GeneralName, name: GeneralName): boolean {
  try {
    checkNameConstraints({ permitted: [constraint], excluded: [] }, [name]);
    return true;
  } catch {
    return false;
  }
}

suite("RFC 5280 4.2.1.10: URIs", () => {
  const rows: readonly (readonly [constraint: string, name: string, expected: boolean])[] = [
    ["td.test", "spiffe://td.test/w", true],
    ["td.test", "spiffe://td.test", true],
    ["TD.test", "spiffe://td.TEST/w", true],
    ["td.test", "spiffe://sub.td.test/w", false],
    ["td.test", "spiffe://xtd.test/w", false],
    [".td.test", "spiffe://a.b.td.test/w", true],
    [".td.test", "spiffe://td.test/w", false],
    ["td.test", "spiffe://user@td.test:443/w", true],
    ["td.test", "spiffe://td.test@evil.test/w", false],
    ["td.test", "spiffe:td.test", false],
    ["td.test", "urn:td.test", false],
    ["td.test", "spiffe:///w", false],
    ["[::1]", "spiffe://[::1]/w", false],
    ["1.2.3.4", "spiffe://1.2.3.4/w", false],
  ];
  for (const [constraint, name, expected] of rows) {
    test(`${constraint} ${expected ? "permits" : "does not permit"} ${name}`, () => {
      assert.equal(permits(uri(constraint), uri(name)), expected);
    });
  }
});

suite("RFC 5280 4.2.1.10: DNS names", () => {
  const rows: readonly (readonly [constraint: string, name: string, expected: boolean])[] = [
    ["example.org", "example.org", true],
    ["example.org", "a.b.example.org", true],
    ["example.org", "EXAMPLE.org", true],
    ["example.org", "badexample.org", false],
    [".example.org", "example.org", false],
    [".example.org", "a.example.org", true],
    ["", "example.org", true],
  ];
  for (const [constraint, name, expected] of rows) {
    test(`${JSON.stringify(constraint)} ${expected ? "permits" : "does not permit"} ${name}`, () => {
      assert.equal(permits(dns(constraint), dns(name)), expected);
    });
  }
});

suite("checkNameConstraints", () => {
  test("one permitted subtree is enough, one excluded is too much", () => {
    const permitted = [uri("a.test"), uri("b.test")];
    checkNameConstraints({ permitted, excluded: [] }, [uri("spiffe://b.test")]);
    assert.throws(
      () =>
        checkNameConstraints({ permitted, excluded: [uri("b.test")] }, [uri("spiffe://b.test")]),
      spiffeRefused("chain_name_constraints", "a uri name lies in an excluded subtree"),
    );
    assert.throws(
      () => checkNameConstraints({ permitted, excluded: [] }, [uri("spiffe://c.test")]),
      spiffeRefused("chain_name_constraints", "a uri name lies in no permitted subtree"),
    );
  });

  test("names of other kinds than the constraints are free", () => {
    checkNameConstraints({ permitted: [dns("example.org")], excluded: [] }, [uri("spiffe://x")]);
    checkNameConstraints({ permitted: [uri("x")], excluded: [] }, [dns("example.org")]);
  });

  test("a kind that we cannot check is refused only where such a name occurs", () => {
    const constraints = { permitted: [], excluded: [{ kind: "directory" as const, text: "" }] };
    checkNameConstraints(constraints, [uri("spiffe://x")]);
    assert.throws(
      () => checkNameConstraints(constraints, [{ kind: "directory", text: "" }]),
      spiffeRefused("chain_name_constraints", "constraints on directory names are not supported"),
    );
  });
});
