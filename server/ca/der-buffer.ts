/** Length of a whole DER element whose content has `length` octets. */
export function elementLength(length: number): number {
  return length + (length < 0x80 ? 2 : length < 0x100 ? 3 : 4);
}

/**
 * Writes DER from front to back into one buffer whose length the caller has worked out. For the hot path only: der-writer.ts says the
 * same things more simply, from inside to outside, at several times the cost.
 */
export class DerBuffer {
  readonly bytes: Buffer;
  #at = 0;

  constructor(length: number) {
    this.bytes = Buffer.allocUnsafe(length);
  }

  /** Begins an element whose content, of `length` octets below 65536, follows. */
  header(tag: number, length: number): void {
    const { bytes } = this;
    bytes[this.#at++] = tag;
    if (length < 0x80) {
      bytes[this.#at++] = length;
    } else if (length < 0x100) {
      bytes[this.#at++] = 0x81;
      bytes[this.#at++] = length;
    } else {
      if (length > 0xffff) throw new RangeError("an element is too long");
      bytes[this.#at++] = 0x82;
      bytes[this.#at++] = length >> 8;
      bytes[this.#at++] = length & 0xff;
    }
  }

  put(bytes: Uint8Array): void {
    this.bytes.set(bytes, this.#at);
    this.#at += bytes.length;
  }

  /** Text that is ASCII, which the caller has made sure of. */
  ascii(text: string): void {
    this.#at += this.bytes.write(text, this.#at, "latin1");
  }

  /** The buffer, which must be full. */
  finish(): Uint8Array {
    if (this.#at !== this.bytes.length) throw new RangeError("the length was not worked out right");
    return this.bytes;
  }
}
