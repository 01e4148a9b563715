import type { Random } from "./random.ts";

/** A random UUID (RFC 9562 version 4), in lower case. */
export function randomUuid(random: Random): string {
  return format(Buffer.from(random.bytes(16)), 4);
}

/**
 * A UUID that starts with the time in milliseconds (RFC 9562 version 7), in lower case: later ones sort after earlier ones, so
 * an index over them grows at its end. 74 bits are random.
 */
export function timeOrderedUuid(now: Date, random: Random): string {
  const bytes = Buffer.from(random.bytes(16));
  bytes.writeUIntBE(now.getTime(), 0, 6);
  return format(bytes, 7);
}

function format(bytes: Buffer, version: number): string {
  bytes.writeUInt8((bytes.readUInt8(6) & 0x0f) | (version << 4), 6);
  bytes.writeUInt8((bytes.readUInt8(8) & 0x3f) | 0x80, 8);
  const hex = bytes.toString("hex");
  return [
    hex.slice(0, 8),
    hex.slice(8, 12),
    hex.slice(12, 16),
    hex.slice(16, 20),
    hex.slice(20),
  ].join("-");
}
