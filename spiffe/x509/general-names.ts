import { SpiffeError } from "../error.ts";
import { asBuffer } from "./bytes.ts";
import { contextConstructed, contextPrimitive, DerReader } from "./der.ts";

/** The kinds of names that RFC 5280 4.2.1.6 knows. */
export type GeneralNameKind = "uri" | "dns" | "email" | "ip" | "directory" | "other";

/** One GeneralName. `text` holds the octets as ASCII for the kinds that are IA5String, and nothing for the others. */
export interface GeneralName {
  readonly kind: GeneralNameKind;
  readonly text: string;
}

const kindByTag: ReadonlyMap<number, GeneralNameKind> = new Map([
  [contextConstructed(0), "other"],
  [contextPrimitive(1), "email"],
  [contextPrimitive(2), "dns"],
  [contextConstructed(3), "other"],
  [contextConstructed(4), "directory"],
  [contextConstructed(5), "other"],
  [contextPrimitive(6), "uri"],
  [contextPrimitive(7), "ip"],
  [contextPrimitive(8), "other"],
]);

/**
 * Reads the next GeneralName. The text of a name is its octets and nothing else: no decoding, no escaping, so that
 * whoever checks it sees what was signed.
 *
 * @throws {SpiffeError} "certificate_extension" when an IA5String holds other than ASCII | "der_malformed"
 */
export function readGeneralName(reader: DerReader): GeneralName {
  const tag = reader.nextTag() ?? 0;
  const kind = kindByTag.get(tag);
  if (kind === undefined) {
    throw new SpiffeError("certificate_extension", "unknown kind of general name");
  }
  if (kind === "uri" || kind === "dns" || kind === "email") {
    return { kind, text: asciiText(reader.content(tag)) };
  }
  reader.skip(tag);
  return { kind, text: "" };
}

/**
 * Reads the value of a subject alternative name extension: at least one name (RFC 5280 4.2.1.6).
 *
 * @throws {SpiffeError} "certificate_extension" | "der_malformed"
 */
export function parseSubjectAltName(valueDer: Uint8Array): readonly GeneralName[] {
  const outer = new DerReader(valueDer);
  const reader = outer.sequence();
  outer.finish();
  const names: GeneralName[] = [];
  while (!reader.atEnd) names.push(readGeneralName(reader));
  if (names.length === 0) {
    throw new SpiffeError("certificate_extension", "subject alternative name must not be empty");
  }
  return names;
}

function asciiText(octets: Uint8Array): string {
  for (const octet of octets) {
    if (octet > 0x7f) {
      throw new SpiffeError("certificate_extension", "a name must be ASCII (IA5String)");
    }
  }
  return asBuffer(octets).toString("latin1");
}
