import { contextConstructed, contextPrimitive, Tag } from "./der.ts";

// Meant to be imported whole: `import * as der from ".../der-writer.ts"`, then `der.sequence(der.oid("2.5.4.3"), ...)`.
// Every function returns one complete DER element. Values that cannot be encoded are errors of the programmer, hence
// RangeError and TypeError.

/** An element with this identifier octet; its content is the parts, one after the other. */
export function element(tag: number, ...parts: readonly Uint8Array[]): Uint8Array {
  let length = 0;
  for (const part of parts) length += part.length;
  const header = headerLength(length);
  const bytes = new Uint8Array(header + length);
  bytes[0] = tag;
  if (header === 2) {
    bytes[1] = length;
  } else {
    bytes[1] = 0x80 | (header - 2);
    for (let i = header - 1, rest = length; i > 1; i--, rest = Math.floor(rest / 256)) {
      bytes[i] = rest & 0xff;
    }
  }
  let offset = header;
  for (const part of parts) {
    bytes.set(part, offset);
    offset += part.length;
  }
  return bytes;
}

export function sequence(...elements: readonly Uint8Array[]): Uint8Array {
  return element(Tag.sequence, ...elements);
}

/** A SET OF, with its elements in the order that DER prescribes (X.690 11.6). */
export function setOf(...elements: readonly Uint8Array[]): Uint8Array {
  return element(Tag.set, ...elements.toSorted(Buffer.compare));
}

/** `[number] EXPLICIT`, or IMPLICIT over a constructed type. */
export function context(number: number, ...elements: readonly Uint8Array[]): Uint8Array {
  return element(contextConstructed(number), ...elements);
}

/** `[number] IMPLICIT` over a primitive type. */
export function contextValue(number: number, content: Uint8Array): Uint8Array {
  return element(contextPrimitive(number), content);
}

export function boolean(value: boolean): Uint8Array {
  return element(Tag.boolean, Uint8Array.of(value ? 0xff : 0x00));
}

export function nullValue(): Uint8Array {
  return element(Tag.null);
}

/** A whole number, or the octets of an unsigned one (most significant first, leading zeros allowed). */
export function integer(value: number | bigint | Uint8Array): Uint8Array {
  return element(Tag.integer, integerContent(value));
}

export function oid(dotted: string): Uint8Array {
  return element(Tag.oid, oidContent(dotted));
}

export function octetString(bytes: Uint8Array): Uint8Array {
  return element(Tag.octetString, bytes);
}

/** A BIT STRING; the last `unusedBits` bits of `bytes` must be zero and do not count. */
export function bitString(bytes: Uint8Array, unusedBits = 0): Uint8Array {
  return element(Tag.bitString, Uint8Array.of(unusedBits), bytes);
}

/** A BIT STRING of named bits: the bits with these numbers are set, trailing zero bits are cut off (X.690 11.2.2). */
export function namedBits(...numbers: readonly number[]): Uint8Array {
  const highest = Math.max(-1, ...numbers);
  const bytes = new Uint8Array(Math.floor(highest / 8) + 1);
  for (const number of numbers) {
    const index = number >> 3;
    bytes[index] = (bytes[index] ?? 0) | (0x80 >> (number & 7));
  }
  return bitString(bytes, highest < 0 ? 0 : 7 - (highest & 7));
}

export function utf8String(text: string): Uint8Array {
  return element(Tag.utf8String, Buffer.from(text, "utf8"));
}

export function ia5String(text: string): Uint8Array {
  return element(Tag.ia5String, asciiBytes(text));
}

export function printableString(text: string): Uint8Array {
  if (!/^[A-Za-z0-9 '()+,\-./:=?]*$/.test(text)) throw new RangeError("not a printable string");
  return element(Tag.printableString, asciiBytes(text));
}

/** The octets of ASCII text. */
export function asciiBytes(text: string): Uint8Array {
  for (let i = 0; i < text.length; i++) {
    if (text.charCodeAt(i) > 0x7f) throw new RangeError("text must be ASCII");
  }
  return Buffer.from(text, "latin1");
}

/** A time as RFC 5280 4.1.2.5 wants it: UTCTime through 2049, GeneralizedTime from then on. Fractions are dropped. */
export function time(value: Date): Uint8Array {
  const year = value.getUTCFullYear();
  if (Number.isNaN(year) || year < 1950 || year > 9999) throw new RangeError("no X.509 time");
  const digits = value.toISOString().replace(/\..*|[-:T]/g, "");
  return year < 2050
    ? element(Tag.utcTime, asciiBytes(`${digits.slice(2)}Z`))
    : element(Tag.generalizedTime, asciiBytes(`${digits}Z`));
}

function headerLength(length: number): number {
  if (length < 0x80) return 2;
  if (length < 0x100) return 3;
  if (length < 0x10000) return 4;
  if (length < 0x1000000) return 5;
  return 6;
}

function integerContent(value: number | bigint | Uint8Array): Uint8Array {
  if (typeof value === "object") {
    let start = 0;
    while (start < value.length - 1 && value[start] === 0) start++;
    const magnitude = value.length === 0 ? Uint8Array.of(0) : value.subarray(start);
    return (magnitude[0] ?? 0) < 0x80 ? magnitude : Buffer.concat([Uint8Array.of(0), magnitude]);
  }
  let rest = BigInt(value);
  const octets: number[] = [];
  for (;;) {
    const octet = Number(BigInt.asUintN(8, rest));
    octets.push(octet);
    rest >>= 8n;
    if ((rest === 0n && octet < 0x80) || (rest === -1n && octet >= 0x80)) break;
  }
  return Uint8Array.from(octets.reverse());
}

function oidContent(dotted: string): Uint8Array {
  const [root = "", second = "", ...rest] = dotted.split(".");
  if (!/^[0-2](\.(0|[1-9]\d{0,14}))+$/.test(dotted))
    throw new RangeError("not an object identifier");
  if (root !== "2" && Number(second) > 39) throw new RangeError("not an object identifier");
  const octets: number[] = [];
  for (const arc of [Number(root) * 40 + Number(second), ...rest.map(Number)]) {
    const groups = [arc % 128];
    for (let left = Math.floor(arc / 128); left > 0; left = Math.floor(left / 128)) {
      groups.push(0x80 | (left % 128));
    }
    octets.push(...groups.reverse());
  }
  return Uint8Array.from(octets);
}
