import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { FakeRandom } from "../test/fakes/fake-random.ts";
import { randomUuid, timeOrderedUuid } from "./uuid.ts";

describe("randomUuid", () => {
  it("marks version 4 and the variant of RFC 9562, whatever was drawn", () => {
    const random = new FakeRandom(1);
    for (let drawn = 0; drawn < 100; drawn += 1) {
      const uuid = randomUuid(random);
      assert.match(uuid, /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
    }
  });

  it("keeps all other bits as drawn", () => {
    const ones = { bytes: (length: number) => new Uint8Array(length).fill(0xff), uniform: () => 0 };
    assert.equal(randomUuid(ones), "ffffffff-ffff-4fff-bfff-ffffffffffff");
  });
});

describe("timeOrderedUuid", () => {
  it("starts with the milliseconds since 1970 and marks version 7", () => {
    const ones = { bytes: (length: number) => new Uint8Array(length).fill(0xff), uniform: () => 0 };
    const uuid = timeOrderedUuid(new Date(0x0123456789ab), ones);
    assert.equal(uuid, "01234567-89ab-7fff-bfff-ffffffffffff");
  });

  it("sorts by time", () => {
    const random = new FakeRandom(1);
    const made = [1, 2, 1_800_000_000_000, 1_800_000_000_001].map((ms) =>
      timeOrderedUuid(new Date(ms), random),
    );
    assert.deepEqual(made.toSorted(), made);
  });
});
