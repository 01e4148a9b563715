import { DerReader, Tag } from "../../../spiffe/x509/der.ts";

const COMMON_NAME = "2.5.4.3";

/**
 * The common name in a distinguished name (RFC 5280 4.1.2.4), the last one if there are several. Undefined without one, and
 * for one that is not UTF-8, ASCII or printable text: names in other encodings cannot be compared safely.
 *
 * @throws {SpiffeError} "der_malformed"
 */
export function commonNameOf(nameDer: Uint8Array): string | undefined {
  let found: string | undefined;
  const name = new DerReader(nameDer).sequence();
  while (!name.atEnd) {
    const attributes = name.set();
    while (!attributes.atEnd) {
      const attribute = attributes.sequence();
      const isCommonName = attribute.oid() === COMMON_NAME;
      const tag = attribute.nextTag();
      if (isCommonName && tag !== undefined && TEXT_TAGS.has(tag)) {
        found = decode(attribute.content(tag));
      } else {
        attribute.skip();
      }
      attribute.finish();
    }
  }
  return found;
}

const TEXT_TAGS: ReadonlySet<number> = new Set([
  Tag.utf8String,
  Tag.printableString,
  Tag.ia5String,
]);

function decode(bytes: Uint8Array): string | undefined {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    return undefined;
  }
}
