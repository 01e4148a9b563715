import * as der from "./der-writer.ts";

/** The parts of a distinguished name that we write, each at most once (RFC 5280 4.1.2.4). */
export interface NameParts {
  readonly country?: string;
  readonly organization?: string;
  readonly organizationalUnit?: string;
  readonly commonName?: string;
  /** The serialNumber attribute, which is not the certificate's serial number. */
  readonly serialNumber?: string;
}

const COUNTRY = der.oid("2.5.4.6");
const ORGANIZATION = der.oid("2.5.4.10");
const ORGANIZATIONAL_UNIT = der.oid("2.5.4.11");
const COMMON_NAME = der.oid("2.5.4.3");
const SERIAL_NUMBER = der.oid("2.5.4.5");

/** Encodes a Name: country, organization and unit, common name, serial number, in that order; an empty one from no parts. */
export function distinguishedName(parts: NameParts): Uint8Array {
  const { country, organization, organizationalUnit, commonName, serialNumber } = parts;
  const attributes: Uint8Array[] = [];
  if (country !== undefined) attributes.push(attribute(COUNTRY, der.printableString(country)));
  if (organization !== undefined) {
    attributes.push(attribute(ORGANIZATION, der.utf8String(organization)));
  }
  if (organizationalUnit !== undefined) {
    attributes.push(attribute(ORGANIZATIONAL_UNIT, der.utf8String(organizationalUnit)));
  }
  if (commonName !== undefined) attributes.push(attribute(COMMON_NAME, der.utf8String(commonName)));
  if (serialNumber !== undefined) {
    attributes.push(attribute(SERIAL_NUMBER, der.printableString(serialNumber)));
  }
  return der.sequence(...attributes);
}

function attribute(type: Uint8Array, value: Uint8Array): Uint8Array {
  return der.setOf(der.sequence(type, value));
}
