import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { IdPattern } from "./id-pattern.ts";

describe("IdPattern", () => {
  const cases: readonly [pattern: string, path: string, matches: boolean][] = [
    ["/ns/shop/sa/web", "/ns/shop/sa/web", true],
    ["/ns/shop/sa/web", "/ns/shop/sa/web2", false],
    ["/ns/*/sa/web", "/ns/shop/sa/web", true],
    ["/ns/*/sa/web", "/ns/a/b/sa/web", false],
    ["/ns/shop/**", "/ns/shop/sa", true],
    ["/ns/shop/**", "/ns/shop/sa/web", true],
    ["/ns/shop/**", "/ns/shop", false],
    ["/ns/shop/**", "/ns/shopping/sa", false],
    ["/**", "/anything", true],
    ["/*", "/a/b", false],
    ["/*", "", false],
    ["/**", "", false],
    ["/v1.2/*", "/v1x2/a", false],
  ];
  for (const [pattern, path, matches] of cases) {
    it(`${pattern} ${matches ? "matches" : "does not match"} ${path}`, () => {
      const parsed = IdPattern.parse(pattern);
      assert.equal(parsed.matches(path), matches);
      assert.equal(new RegExp(`^${parsed.toRegexSource()}$`).test(path), matches);
    });
  }

  for (const text of ["ns/shop", "", "/a//b", "/a/", "/web*", "/**/a", "/a/..", "/ä"]) {
    it(`refuses ${JSON.stringify(text)}`, () => {
      assert.throws(() => IdPattern.parse(text), Error);
    });
  }
});
