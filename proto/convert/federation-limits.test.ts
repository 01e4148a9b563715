import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { create } from "@bufbuild/protobuf";
import { refused } from "../../test/support/refused.ts";
import { FederationLimitsSchema } from "../gen/assay/federation/v1/limits_pb.ts";
import {
  decodeFederationLimits,
  encodeEnd,
  encodeFederationLimits,
  MAX_LIMITS,
} from "./federation-limits.ts";

const message = (fields: object) => create(FederationLimitsSchema, fields);

describe("federation limits", () => {
  it("come back as they were", () => {
    for (const fields of [
      { trustDomain: "a.test", any: true, purpose: "migration", owner: "platform" },
      {
        trustDomain: "a.test",
        idPatterns: ["/a/*"],
        audiences: ["x", "*"],
        endsAt: 2_000_000_000n,
      },
      { trustDomain: "a.test" },
    ]) {
      const given = message(fields);
      assert.deepEqual(encodeFederationLimits("a.test", decodeFederationLimits("l", given)), given);
    }
  });

  it("have an end where one was given, however long ago", () => {
    for (const [endsAt, seconds] of [
      [undefined, 0n],
      [new Date("1960-01-01T00:00:00Z"), 1n],
      [new Date("1970-01-01T00:00:00.5Z"), 1n],
      [new Date("2030-01-01T00:00:00.5Z"), 1_893_456_000n],
    ] as const) {
      assert.equal(encodeEnd(endsAt), seconds);
    }
  });

  const cases: readonly (readonly [fields: object, message: string])[] = [
    [{ any: true, audiences: ["x"] }, "l.any: excludes patterns and audiences"],
    [{ idPatterns: ["a"] }, 'l.id_patterns[0]: a pattern starts with "/"'],
    [{ audiences: [""] }, "l.audiences[0]: must not be empty"],
    [
      { audiences: Array.from({ length: MAX_LIMITS + 1 }, String) },
      `l.audiences: has ${MAX_LIMITS + 1} items, at most ${MAX_LIMITS} are allowed`,
    ],
    [{ any: true, endsAt: -1n }, "l.ends_at: must be a time in Unix seconds up to the year 9999"],
  ];
  for (const [fields, expected] of cases) {
    it(`are refused: ${expected}`, () => {
      assert.throws(() => decodeFederationLimits("l", message(fields)), refused(expected));
    });
  }
});
