import type { Random } from "../../runtime/random.ts";

/** Length of every serial number in octets. */
export const SERIAL_BYTES = 16;

/**
 * Draws serial numbers: positive, of one fixed length below 20 octets, with 126 random bits (RFC 5280 4.1.2.2 asks for uniqueness,
 * which chance alone then gives). The first bit is clear, so the number is positive; the second is set, so its length is fixed.
 */
export function drawSerialNumbers(random: Random, count: number): readonly Uint8Array[] {
  const bytes = random.bytes(SERIAL_BYTES * count);
  return Array.from({ length: count }, (_, index) => {
    const serial = bytes.subarray(index * SERIAL_BYTES, (index + 1) * SERIAL_BYTES);
    serial[0] = ((serial[0] ?? 0) & 0x3f) | 0x40;
    return serial;
  });
}

/** The text by which a serial number is known everywhere: lower-case hexadecimal. */
export function serialNumberHex(serial: Uint8Array): string {
  return Buffer.from(serial.buffer, serial.byteOffset, serial.byteLength).toString("hex");
}
