import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { systemRandom } from "../../runtime/random.ts";
import { drawSerialNumbers, serialNumberHex } from "./serial-number.ts";

describe("drawSerialNumbers", () => {
  it("draws positive numbers of one length, each another", () => {
    const serials = drawSerialNumbers(systemRandom, 1000);
    assert.equal(new Set(serials.map(serialNumberHex)).size, 1000);
    for (const serial of serials) {
      assert.equal(serial.length, 16);
      assert.ok((serial[0] ?? 0) >= 0x40 && (serial[0] ?? 0) < 0x80);
    }
  });

  it("uses all other bits", () => {
    const ored = new Uint8Array(16);
    const anded = new Uint8Array(16).fill(0xff);
    for (const serial of drawSerialNumbers(systemRandom, 200)) {
      for (const [index, octet] of serial.entries()) {
        ored[index] = (ored[index] ?? 0) | octet;
        anded[index] = (anded[index] ?? 0) & octet;
      }
    }
    assert.equal(Buffer.from(ored).toString("hex"), `7f${"ff".repeat(15)}`);
    assert.equal(Buffer.from(anded).toString("hex"), `40${"00".repeat(15)}`);
  });
});
