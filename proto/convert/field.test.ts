import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { SpiffeError } from "../../spiffe/error.ts";
import { refused } from "../../test/support/refused.ts";
import {
  checkCount,
  decodePageSize,
  decodeSeconds,
  decodeText,
  decodeUnixSeconds,
  encodeUnixSeconds,
  parseField,
  requireField,
} from "./field.ts";

describe("parseField", () => {
  it("gives what the parser gives", () => {
    assert.equal(
      parseField("a", () => 1),
      1,
    );
  });

  it("turns a rule of the standards into a refusal of the field, with the rule's code as reason", () => {
    const parse = () => {
      throw new SpiffeError("path_char", "path is wrong");
    };
    assert.throws(() => parseField("entry.spiffe_id", parse), {
      ...refused("entry.spiffe_id: path is wrong"),
      reason: "path_char",
    });
  });

  it("passes on every other error", () => {
    const err = new TypeError("bug");
    assert.throws(
      () =>
        parseField("a", () => {
          throw err;
        }),
      err,
    );
  });
});

describe("requireField", () => {
  it("refuses a message that is not set", () => {
    assert.equal(requireField("a", 0), 0);
    assert.throws(() => requireField("a.b", undefined), refused("a.b: is required"));
  });
});

describe("checkCount", () => {
  it("counts", () => {
    checkCount("a", [1, 2], 2);
    assert.throws(
      () => checkCount("a", [1, 2, 3], 2),
      refused("a: has 3 items, at most 2 are allowed"),
    );
  });
});

describe("decodeText", () => {
  it("measures in UTF-8 bytes", () => {
    assert.equal(decodeText("a", "äöü", { maxBytes: 6 }), "äöü");
    assert.throws(
      () => decodeText("a", "äöü!", { maxBytes: 6 }),
      refused("a: must not be longer than 6 bytes"),
    );
  });

  it("refuses NUL, and nothing where something is required", () => {
    assert.equal(decodeText("a", "", { maxBytes: 1 }), "");
    assert.throws(
      () => decodeText("a", "", { maxBytes: 1, required: true }),
      refused("a: must not be empty"),
    );
    assert.throws(
      () => decodeText("a", "\0", { maxBytes: 1 }),
      refused("a: must not contain a NUL character"),
    );
  });
});

describe("numbers", () => {
  it("refuses negative seconds", () => {
    assert.equal(decodeSeconds("ttl", 0), 0);
    assert.throws(() => decodeSeconds("ttl", -1), refused("ttl: must not be negative"));
  });

  it("reads and writes instants in whole seconds, with zero for none", () => {
    assert.equal(decodeUnixSeconds("t", 0n), undefined);
    assert.equal(encodeUnixSeconds(undefined), 0n);
    assert.equal(encodeUnixSeconds(new Date(1_999)), 1n);
    const last = decodeUnixSeconds("t", 253_402_300_799n);
    assert.equal(last?.toISOString(), "9999-12-31T23:59:59.000Z");
    for (const seconds of [-1n, 253_402_300_800n, 2n ** 63n - 1n]) {
      assert.throws(
        () => decodeUnixSeconds("t", seconds),
        refused("t: must be a time in Unix seconds up to the year 9999"),
      );
    }
  });

  it("bounds the size of a page", () => {
    const limits = { defaultSize: 50, maxSize: 1000 };
    assert.equal(decodePageSize("page_size", 0, limits), 50);
    assert.equal(decodePageSize("page_size", 7, limits), 7);
    assert.equal(decodePageSize("page_size", 2_000_000, limits), 1000);
    assert.throws(
      () => decodePageSize("page_size", -1, limits),
      refused("page_size: must not be negative"),
    );
  });
});
