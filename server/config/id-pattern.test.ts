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
  ];
  for (const [pattern, path, matches] of cases) {
    it(`${pattern} ${matches ? "matches" : "does not match"} ${path}`, () => {
      assert.equal(IdPattern.parse(pattern).matches(path), matches);
    });
  }

  for (const text of ["ns/shop", "", "/a//b", "/a/", "/web*", "/**/a", "/a/..", "/ä"]) {
    it(`refuses ${JSON.stringify(text)}`, () => {
      assert.throws(() => IdPattern.parse(text), Error);
    });
  }
});
