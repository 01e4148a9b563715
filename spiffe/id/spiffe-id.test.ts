import assert from "node:assert/strict";
import { suite, test } from "node:test";
import fc from "fast-check";
import { damagedText, survives } from "../../test/support/hostile.ts";
import { SpiffeId, TrustDomain } from "./spiffe-id.ts";

const grammar = /^spiffe:\/\/[a-z0-9._-]{1,255}(\/[A-Za-z0-9._-]+)*$/;

/** The standard said in another way, to compare with. */
function isValid(uri: string): boolean {
  const segments = uri.split("/").slice(3);
  return uri.length <= 2048 && grammar.test(uri) && !segments.some((s) => s === "." || s === "..");
}

suite("SpiffeId: properties", () => {
  const names = fc.string({ unit: fc.constantFrom(..."abz019.-_"), minLength: 1, maxLength: 20 });
  const segments = fc
    .string({ unit: fc.constantFrom(..."abzAZ019.-_"), minLength: 1, maxLength: 8 })
    .filter((segment) => segment !== "." && segment !== "..");

  test("an ID is read as it was put together", () => {
    fc.assert(
      fc.property(names, fc.array(segments, { maxLength: 5 }), (name, parts) => {
        const trustDomain = TrustDomain.parse(name);
        const id = SpiffeId.fromSegments(trustDomain, ...parts);
        const read = SpiffeId.parse(id.toString());
        assert.ok(read.equals(id) && read.memberOf(trustDomain));
        assert.equal(read.path, parts.map((part) => `/${part}`).join(""));
        assert.ok(trustDomain.id.append(...parts).equals(id));
      }),
    );
  });

  test("a damaged ID is taken exactly when the grammar takes it", () => {
    const alphabet = "a/:.%?#@ \n\u0000\u00e4A-_0\ud800";
    fc.assert(
      fc.property(damagedText("spiffe://td.test/a/b", alphabet), (uri) => {
        let taken = true;
        survives(() => {
          taken = false;
          assert.equal(SpiffeId.parse(uri).toString(), uri);
          taken = true;
        });
        assert.equal(taken, isValid(uri));
      }),
      { numRuns: 5000 },
    );
  });

  test("any text is read or refused", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), (text) => {
        survives(() => SpiffeId.parse(text));
        survives(() => SpiffeId.parse(`spiffe://${text}`));
        survives(() => TrustDomain.parse(text));
      }),
    );
  });
});
