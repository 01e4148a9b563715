import assert from "node:assert/strict";
import { suite, test } from "node:test";
import fc from "fast-check";
import { survives } from "../../test/support/hostile.ts";
import { spiffeRefused } from "../../test/support/spiffe-refused.ts";
import { bytesEqual } from "./bytes.ts";
import { DerReader, Tag } from "./der.ts";
import * as der from "./der-writer.ts";

const bytes = (hex: string): Uint8Array => Buffer.from(hex.replaceAll(" ", ""), "hex");
const reader = (hex: string): DerReader => new DerReader(bytes(hex));

function refuses(hex: string, read: (reader: DerReader) => unknown, message: string): void {
  assert.throws(() => read(reader(hex)), spiffeRefused("der_malformed", `not DER: ${message}`));
}

suite("DerReader: headers", () => {
  const skip = (from: DerReader): void => from.skip();

  test("takes the shortest forms of a length", () => {
    for (const length of [0, 1, 127, 128, 255, 256, 65_535, 65_536]) {
      const content = new Uint8Array(length);
      const from = new DerReader(der.octetString(content));
      assert.deepEqual(from.octetString(), content);
      from.finish();
    }
  });

  test("refuses lengths in other forms", () => {
    refuses("04 80 0000", skip, "a length must be definite");
    refuses("04 81 01 00", skip, "a length must have its shortest form");
    refuses("04 82 0080 00", skip, "a length must have its shortest form");
    refuses("04 85 0000000001 00", skip, "an element is cut off");
    refuses("04 ff", skip, "an element is cut off");
  });

  test("refuses elements that are cut off or missing", () => {
    refuses("", skip, "an element is missing");
    refuses("04", skip, "an element is cut off");
    refuses("04 02 00", skip, "an element is cut off");
    refuses("04 82 01", skip, "an element is cut off");
    refuses("30 03 04 02 00", skip, "an element is cut off");
  });

  test("refuses tags of several octets", () => {
    refuses("1f 81 01 00", skip, "tags of more than one octet are not used here");
  });

  test("refuses another tag than the one asked for, the constructed form of a string too", () => {
    const octets = (from: DerReader): Uint8Array => from.octetString();
    refuses("02 01 00", octets, "expected an element with tag 04, found 02");
    refuses("24 03 04 01 00", octets, "expected an element with tag 04, found 24");
  });

  test("refuses strings in pieces, and sequences that are not constructed", () => {
    const message = "sequences and sets are constructed, and nothing else is";
    for (const hex of ["24 03 04 01 00", "2c 03 0c 01 61", "10 00", "11 00", "20 00"]) {
      refuses(hex, skip, message);
    }
    reader("30 00").skip();
    reader("31 00").skip();
  });

  test("refuses bytes after the last element", () => {
    const read = (from: DerReader): void => {
      from.null();
      from.finish();
    };
    refuses("05 00 00", read, "unexpected bytes after the last element");
  });

  test("an element inside cannot reach beyond the one around it", () => {
    const read = (from: DerReader): unknown => from.sequence().octetString();
    refuses("30 03 04 02 00 00", read, "an element is cut off");
  });

  test("refuses elements that are nested too deeply, without growing the stack", () => {
    let nested: Uint8Array = der.nullValue();
    for (let depth = 0; depth < 24; depth++) nested = der.sequence(nested);
    new DerReader(nested).skip();
    assert.throws(
      () => new DerReader(der.sequence(nested)).skip(),
      spiffeRefused("der_malformed", "not DER: elements are nested too deeply"),
    );
    // Zero-length content at every level is the cheapest way to nest.
    const bomb = new Uint8Array(60_000).fill(0x30);
    assert.throws(() => new DerReader(bomb).skip(), spiffeRefused("der_malformed"));
  });

  test("returns views and no copies", () => {
    const source = der.octetString(Uint8Array.of(1, 2, 3));
    assert.equal(new DerReader(source).octetString().buffer, source.buffer);
  });
});

suite("DerReader: values", () => {
  test("booleans are 00 or ff", () => {
    assert.equal(reader("01 01 00").boolean(), false);
    assert.equal(reader("01 01 ff").boolean(), true);
    const read = (from: DerReader): boolean => from.boolean();
    refuses("01 01 01", read, "a boolean must be one octet, 00 or ff");
    refuses("01 00", read, "a boolean must be one octet, 00 or ff");
    refuses("01 02 ffff", read, "a boolean must be one octet, 00 or ff");
  });

  test("integers have their shortest form", () => {
    assert.deepEqual(reader("02 01 80").integer(), bytes("80"));
    assert.deepEqual(reader("02 02 0080").unsignedInteger(), bytes("80"));
    assert.deepEqual(reader("02 01 00").unsignedInteger(), bytes("00"));
    const read = (from: DerReader): Uint8Array => from.integer();
    refuses("02 00", read, "an integer must not be empty");
    refuses("02 02 0001", read, "an integer must have its shortest form");
    refuses("02 02 ff80", read, "an integer must have its shortest form");
    refuses("02 01 80", (from) => from.unsignedInteger(), "a number must not be negative");
  });

  test("small integers fit in 31 bits", () => {
    assert.equal(reader("02 04 7fffffff").smallInteger(), 0x7fffffff);
    const read = (from: DerReader): number => from.smallInteger();
    refuses("02 05 0080000000", read, "a number is too large");
    refuses("02 09 00ffffffffffffffff", read, "a number is too large");
  });

  test("object identifiers are read arc by arc", () => {
    assert.equal(reader("06 03 551d11").oid(), "2.5.29.17");
    assert.equal(reader("06 06 2a864886f70d").oid(), "1.2.840.113549");
    assert.equal(reader("06 03 883703").oid(), "2.999.3");
    assert.equal(reader("06 01 27").oid(), "0.39");
    const read = (from: DerReader): string => from.oid();
    refuses("06 00", read, "an object identifier is cut off");
    refuses("06 02 5580", read, "an arc must have its shortest form");
    refuses("06 03 558001", read, "an arc must have its shortest form");
    refuses("06 02 5581", read, "an object identifier is cut off");
    refuses("06 0a 55ffffffffffffffff7f", read, "an arc of an object identifier is too large");
  });

  test("bit strings say how many bits are unused, and those are zero", () => {
    assert.deepEqual(reader("03 02 07 80").bitString(), { bytes: bytes("80"), unusedBits: 7 });
    assert.deepEqual(reader("03 01 00").bitString(), { bytes: bytes(""), unusedBits: 0 });
    const read = (from: DerReader): unknown => from.bitString();
    const message = "a bit string must say how many of its last bits are unused";
    refuses("03 00", read, message);
    refuses("03 01 01", read, message);
    refuses("03 02 08 00", read, message);
    refuses("03 02 07 81", read, "unused bits of a bit string must be zero");
    refuses(
      "03 02 01 00",
      (from) => from.octetsInBitString(),
      "a bit string must hold whole octets",
    );
  });

  test("a null is empty", () => {
    reader("05 00").null();
    refuses("05 01 00", (from) => from.null(), "a null must be empty");
  });

  const timeOf = (tag: number, text: string): Date =>
    new DerReader(der.element(tag, Buffer.from(text, "latin1"))).time();

  test("times are read in both forms", () => {
    const iso = (tag: number, text: string): string => timeOf(tag, text).toISOString();
    assert.equal(iso(Tag.utcTime, "260601120000Z"), "2026-06-01T12:00:00.000Z");
    assert.equal(iso(Tag.utcTime, "500101000000Z"), "1950-01-01T00:00:00.000Z");
    assert.equal(iso(Tag.utcTime, "491231235959Z"), "2049-12-31T23:59:59.000Z");
    assert.equal(iso(Tag.generalizedTime, "99991231235959Z"), "9999-12-31T23:59:59.000Z");
    assert.equal(iso(Tag.generalizedTime, "00010101000000Z"), "0001-01-01T00:00:00.000Z");
    assert.equal(iso(Tag.utcTime, "240229000000Z"), "2024-02-29T00:00:00.000Z");
  });

  test("times in other forms, and times that do not exist, are refused", () => {
    const bad: readonly (readonly [number, string])[] = [
      [Tag.utcTime, "2606011200Z"],
      [Tag.utcTime, "260601120000+0000"],
      [Tag.utcTime, "260601120000"],
      [Tag.utcTime, "26060112000 Z"],
      [Tag.utcTime, "260230120000Z"],
      [Tag.utcTime, "250229000000Z"],
      [Tag.utcTime, "261301000000Z"],
      [Tag.utcTime, "260001000000Z"],
      [Tag.utcTime, "260601240000Z"],
      [Tag.utcTime, "260601125960Z"],
      [Tag.generalizedTime, "20260601120000.5Z"],
      [Tag.generalizedTime, "260601120000Z"],
    ];
    for (const [tag, text] of bad) {
      assert.throws(() => timeOf(tag, text), spiffeRefused("der_malformed"), text);
    }
  });
});

suite("DerReader and der-writer: properties", () => {
  test("any bytes are read or refused, and what is read is one element", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64 }), (input) => {
        survives(() => {
          const from = new DerReader(input);
          const element = from.element();
          assert.ok(bytesEqual(element, input.subarray(0, element.length)));
        });
      }),
    );
  });

  test("integers are read as they were written", () => {
    fc.assert(
      fc.property(fc.bigInt({ min: -(2n ** 200n), max: 2n ** 200n }), (value) => {
        const content = new DerReader(der.integer(value)).integer();
        const magnitude = BigInt(`0x${Buffer.from(content).toString("hex")}`);
        assert.equal(BigInt.asIntN(content.length * 8, magnitude), value);
      }),
    );
  });

  test("octets of unsigned integers are read as they were written, less leading zeros", () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 1, maxLength: 24 }), (value) => {
        const read = Buffer.from(new DerReader(der.integer(value)).unsignedInteger());
        assert.equal(
          BigInt(`0x${read.toString("hex")}`),
          BigInt(`0x${Buffer.from(value).toString("hex")}`),
        );
      }),
    );
  });

  test("object identifiers are read as they were written", () => {
    const arcs = fc.array(fc.nat({ max: 2 ** 31 - 1 }), { maxLength: 8 });
    const roots = fc.constantFrom("0.0", "0.39", "1.3", "2.5", "2.40", "2.999");
    fc.assert(
      fc.property(roots, arcs, (root, rest) => {
        const dotted = [root, ...rest].join(".");
        assert.equal(new DerReader(der.oid(dotted)).oid(), dotted);
      }),
    );
  });

  test("times are read as they were written, to the second", () => {
    const instants = fc.date({
      min: new Date("1950-01-01T00:00:00Z"),
      max: new Date("9999-12-31T23:59:59Z"),
      noInvalidDate: true,
    });
    fc.assert(
      fc.property(instants, (instant) => {
        const read = new DerReader(der.time(instant)).time().getTime();
        assert.equal(read, Math.floor(instant.getTime() / 1000) * 1000);
      }),
    );
  });
});
