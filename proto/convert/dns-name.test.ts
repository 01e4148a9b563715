import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { refused } from "../../test/support/refused.ts";
import { checkDnsName, decodeDnsNames, MAX_DNS_NAMES } from "./dns-name.ts";

describe("checkDnsName", () => {
  const label = "a".repeat(63);
  const good = [
    "web",
    "web.example.test",
    "WEB.Example.test",
    "1.2",
    "a-b.c",
    "xn--mnchen-3ya.test",
    "*.example.test",
    label,
    `${label}.${label}.${label}.${"a".repeat(61)}`,
  ];
  for (const name of good) {
    it(`takes ${name.slice(0, 40)}`, () => checkDnsName("name", name));
  }

  const bad = [
    "*",
    "*.",
    "a.*.test",
    "w*.test",
    "web.",
    ".web",
    "a..b",
    "-a.test",
    "a-.test",
    "a_b.test",
    "a b",
    "münchen.test",
    "web\n",
    "spiffe://example.test",
    `${label}a`,
  ];
  for (const name of bad) {
    it(`refuses ${JSON.stringify(name.slice(0, 40))}`, () => {
      assert.throws(() => checkDnsName("name", name), /^StatusError: name: must be a DNS name/);
    });
  }

  it("refuses the empty and the long", () => {
    assert.throws(() => checkDnsName("name", ""), refused("name: must not be empty"));
    assert.throws(
      () => checkDnsName("name", `${label}.${label}.${label}.${"a".repeat(62)}`),
      refused("name: must not be longer than 253 characters"),
    );
  });
});

describe("decodeDnsNames", () => {
  it("keeps the order and the first spelling of each", () => {
    assert.deepEqual(decodeDnsNames("names", ["b.test", "A.test", "a.TEST", "b.test"]), [
      "b.test",
      "A.test",
    ]);
  });

  it("names the position of a bad one, and bounds the list", () => {
    assert.throws(
      () => decodeDnsNames("entry.dns_names", ["a.test", ""]),
      refused("entry.dns_names[1]: must not be empty"),
    );
    const names = Array.from({ length: MAX_DNS_NAMES + 1 }, (_, i) => `n${i}.test`);
    assert.throws(
      () => decodeDnsNames("names", names),
      refused("names: has 129 items, at most 128 are allowed"),
    );
  });
});
