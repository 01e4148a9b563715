import { SpiffeError } from "../error.ts";

/** The error of everything that reads DER. */
export function malformed(message: string): SpiffeError {
  return new SpiffeError("der_malformed", `not DER: ${message}`);
}

/** Decodes the content of an OBJECT IDENTIFIER to its dotted form. */
export function decodeOid(content: Uint8Array): string {
  let text = "";
  let arc = 0;
  let arcOctets = 0;
  for (const octet of content) {
    if (arcOctets === 0 && octet === 0x80) throw malformed("an arc must have its shortest form");
    // Seven octets are 49 bits: more than any arc in use, and still exact in a double.
    if (++arcOctets > 7) throw malformed("an arc of an object identifier is too large");
    arc = arc * 128 + (octet & 0x7f);
    if (octet >= 0x80) continue;
    if (text === "") {
      const root = arc < 80 ? Math.floor(arc / 40) : 2;
      text = `${root}.${arc - root * 40}`;
    } else {
      text += `.${arc}`;
    }
    arc = 0;
    arcOctets = 0;
  }
  if (text === "" || arcOctets !== 0) throw malformed("an object identifier is cut off");
  return text;
}

/** Decodes the content of a UTCTime or GeneralizedTime in the form that RFC 5280 4.1.2.5 allows. */
export function decodeTime(content: Uint8Array, isUtcTime: boolean): Date {
  const digits = isUtcTime ? 12 : 14;
  if (content.length !== digits + 1 || content[digits] !== 0x5a) {
    throw malformed("a time must be given to the second and in UTC");
  }
  const pair = (index: number): number => {
    const tens = (content[index] ?? 0) - 0x30;
    const ones = (content[index + 1] ?? 0) - 0x30;
    if (tens < 0 || tens > 9 || ones < 0 || ones > 9) throw malformed("a time must be digits");
    return tens * 10 + ones;
  };
  const rest = digits - 10;
  // RFC 5280 4.1.2.5.1: two-digit years from 50 on belong to the last century.
  const year = isUtcTime ? pair(0) + (pair(0) >= 50 ? 1900 : 2000) : pair(0) * 100 + pair(2);
  const [month, day] = [pair(rest), pair(rest + 2)];
  const [hour, minute, second] = [pair(rest + 4), pair(rest + 6), pair(rest + 8)];
  const time = new Date(0);
  time.setUTCFullYear(year, month - 1, day);
  time.setUTCHours(hour, minute, second);
  const exists =
    time.getUTCFullYear() === year &&
    time.getUTCMonth() === month - 1 &&
    time.getUTCDate() === day &&
    time.getUTCHours() === hour &&
    time.getUTCMinutes() === minute &&
    time.getUTCSeconds() === second;
  if (!exists) throw malformed("there is no such time");
  return time;
}
