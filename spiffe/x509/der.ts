import { decodeOid, decodeTime, malformed } from "./der-values.ts";

/** Identifier octets of the ASN.1 types that X.509 uses (X.690 8.1.2). */
export const Tag = {
  boolean: 0x01,
  integer: 0x02,
  bitString: 0x03,
  octetString: 0x04,
  null: 0x05,
  oid: 0x06,
  utf8String: 0x0c,
  printableString: 0x13,
  ia5String: 0x16,
  utcTime: 0x17,
  generalizedTime: 0x18,
  sequence: 0x30,
  set: 0x31,
} as const;

/** Identifier octet of a primitive context-specific element: `[number] IMPLICIT` of a primitive type. */
export function contextPrimitive(number: number): number {
  return 0x80 | number;
}

/** Identifier octet of a constructed context-specific element: `[number] EXPLICIT`, or IMPLICIT of a constructed type. */
export function contextConstructed(number: number): number {
  return 0xa0 | number;
}

const CONSTRUCTED = 0x20;
const TAG_NUMBER = 0x1f;
const LAST_UNIVERSAL = 0x3f;
const MAX_DEPTH = 24;
const MAX_LENGTH_OCTETS = 4;

/**
 * Reads DER (X.690 10) element by element, without copying: what it returns are views of the bytes it was given.
 *
 * Strict: definite lengths in their shortest form, single-octet tags, no strings in pieces, shortest integers, 0x00 and 0xff as the only
 * booleans, zero padding bits, and nesting no deeper than 24. A caller that has read all it expects calls
 * {@link DerReader.finish}, so nothing can hide behind the last element. The one leniency is that an element whose value
 * is its DEFAULT may be present, because certificates that spell out `cA FALSE` or `critical FALSE` are in use.
 *
 * Every method throws {@link SpiffeError} "der_malformed" when the bytes are not what it was asked for.
 */
export class DerReader {
  readonly #bytes: Uint8Array;
  readonly #end: number;
  readonly #depth: number;
  #offset: number;
  // Where the content of the element read last begins; it ends at #offset.
  #content = 0;

  constructor(bytes: Uint8Array, offset = 0, end: number = bytes.length, depth = 0) {
    this.#bytes = bytes;
    this.#offset = offset;
    this.#end = end;
    this.#depth = depth;
  }

  get atEnd(): boolean {
    return this.#offset === this.#end;
  }

  /** Whether the next element has this identifier octet; false at the end. */
  nextIs(tag: number): boolean {
    return this.#offset < this.#end && this.#bytes[this.#offset] === tag;
  }

  /** The identifier octet of the next element; undefined at the end. */
  nextTag(): number | undefined {
    return this.#offset < this.#end ? this.#bytes[this.#offset] : undefined;
  }

  /** Asserts that nothing is left. */
  finish(): void {
    if (!this.atEnd) throw malformed("unexpected bytes after the last element");
  }

  /** Enters the next element, which must be constructed and have this identifier octet, and moves past it. */
  enter(tag: number): DerReader {
    this.#next(tag);
    return this.#inside();
  }

  sequence(): DerReader {
    return this.enter(Tag.sequence);
  }

  set(): DerReader {
    return this.enter(Tag.set);
  }

  /** The content octets of the next element, which must have this identifier octet. */
  content(tag: number): Uint8Array {
    this.#next(tag);
    return this.#bytes.subarray(this.#content, this.#offset);
  }

  /** The whole next element, header included. What is inside it is checked to be DER at every level. */
  element(tag?: number): Uint8Array {
    const start = this.#offset;
    this.skip(tag);
    return this.#bytes.subarray(start, this.#offset);
  }

  /** The whole next element, header included, for a caller that will read what is inside it by itself. */
  unreadElement(tag: number): Uint8Array {
    const start = this.#offset;
    this.#next(tag);
    return this.#bytes.subarray(start, this.#offset);
  }

  /** Moves past the next element. What is inside it is checked to be DER at every level. */
  skip(tag?: number): void {
    const found = this.#next(tag);
    if (!isConstructed(found)) return;
    const inside = this.#inside();
    while (!inside.atEnd) inside.skip();
  }

  boolean(): boolean {
    const content = this.content(Tag.boolean);
    const value = content[0];
    if (content.length !== 1 || (value !== 0x00 && value !== 0xff)) {
      throw malformed("a boolean must be one octet, 00 or ff");
    }
    return value === 0xff;
  }

  /** The content of an INTEGER: two's complement, most significant octet first, in its shortest form. */
  integer(tag: number = Tag.integer): Uint8Array {
    const content = this.content(tag);
    const [first, second] = content;
    if (first === undefined) throw malformed("an integer must not be empty");
    if (
      second !== undefined &&
      (first === 0x00 ? second < 0x80 : first === 0xff && second >= 0x80)
    ) {
      throw malformed("an integer must have its shortest form");
    }
    return content;
  }

  /** The magnitude of an INTEGER that must not be negative, without a leading zero octet (a single one for zero). */
  unsignedInteger(tag: number = Tag.integer): Uint8Array {
    const content = this.integer(tag);
    const first = content[0] ?? 0;
    if (first >= 0x80) throw malformed("a number must not be negative");
    return first === 0 && content.length > 1 ? content.subarray(1) : content;
  }

  /** An INTEGER between 0 and 2^31 - 1. */
  smallInteger(tag: number = Tag.integer): number {
    const content = this.unsignedInteger(tag);
    let value = 0;
    for (const octet of content) value = value * 256 + octet;
    if (content.length > 4 || value > 0x7fffffff) throw malformed("a number is too large");
    return value;
  }

  /** An OBJECT IDENTIFIER in dotted form. */
  oid(): string {
    return decodeOid(this.content(Tag.oid));
  }

  octetString(): Uint8Array {
    return this.content(Tag.octetString);
  }

  null(): void {
    if (this.content(Tag.null).length !== 0) throw malformed("a null must be empty");
  }

  /** A BIT STRING, whose padding bits must be zero. */
  bitString(tag: number = Tag.bitString): BitString {
    const content = this.content(tag);
    const unusedBits = content[0];
    if (unusedBits === undefined || unusedBits > 7 || (unusedBits > 0 && content.length === 1)) {
      throw malformed("a bit string must say how many of its last bits are unused");
    }
    const last = content[content.length - 1] ?? 0;
    if (unusedBits > 0 && (last & ((1 << unusedBits) - 1)) !== 0) {
      throw malformed("unused bits of a bit string must be zero");
    }
    return { bytes: content.subarray(1), unusedBits };
  }

  /** A BIT STRING that holds whole octets. */
  octetsInBitString(): Uint8Array {
    const { bytes, unusedBits } = this.bitString();
    if (unusedBits !== 0) throw malformed("a bit string must hold whole octets");
    return bytes;
  }

  /** A UTCTime or GeneralizedTime in the form that RFC 5280 4.1.2.5 allows: to the second, in UTC. */
  time(): Date {
    const tag = this.nextIs(Tag.utcTime) ? Tag.utcTime : Tag.generalizedTime;
    return decodeTime(this.content(tag), tag === Tag.utcTime);
  }

  // Reads a header, checks it, and moves past the element.
  #next(expected?: number): number {
    const bytes = this.#bytes;
    const end = this.#end;
    let offset = this.#offset;
    if (offset === end) throw malformed("an element is missing");
    if (offset + 2 > end) throw malformed("an element is cut off");
    const tag = bytes[offset++] ?? 0;
    if (expected !== undefined && tag !== expected) {
      throw malformed(`expected an element with tag ${hex(expected)}, found ${hex(tag)}`);
    }
    if ((tag & TAG_NUMBER) === TAG_NUMBER) {
      throw malformed("tags of more than one octet are not used here");
    }
    if (tag <= LAST_UNIVERSAL && isConstructed(tag) !== holdsElements(tag)) {
      throw malformed("sequences and sets are constructed, and nothing else is");
    }
    let length = bytes[offset++] ?? 0;
    if (length >= 0x80) {
      const octets = length & 0x7f;
      if (octets === 0) throw malformed("a length must be definite");
      if (octets > MAX_LENGTH_OCTETS || offset + octets > end) {
        throw malformed("an element is cut off");
      }
      length = 0;
      for (let i = 0; i < octets; i++) length = length * 256 + (bytes[offset++] ?? 0);
      if (length < 0x80 || length < 256 ** (octets - 1)) {
        throw malformed("a length must have its shortest form");
      }
    }
    if (length > end - offset) throw malformed("an element is cut off");
    this.#content = offset;
    this.#offset = offset + length;
    return tag;
  }

  #inside(): DerReader {
    if (this.#depth === MAX_DEPTH) throw malformed("elements are nested too deeply");
    return new DerReader(this.#bytes, this.#content, this.#offset, this.#depth + 1);
  }
}

/** The content of a BIT STRING; the last `unusedBits` bits of the last octet are not part of it. */
export interface BitString {
  readonly bytes: Uint8Array;
  readonly unusedBits: number;
}

function isConstructed(tag: number): boolean {
  return (tag & CONSTRUCTED) !== 0;
}

function holdsElements(universalTag: number): boolean {
  const constructed = universalTag | CONSTRUCTED;
  return constructed === Tag.sequence || constructed === Tag.set;
}

function hex(tag: number): string {
  return tag.toString(16).padStart(2, "0");
}
