import { SpiffeError } from "../error.ts";
import { contextConstructed, contextPrimitive, DerReader, Tag } from "./der.ts";

/** One extension as it stands in a certificate or a request; its value is not looked at. */
export interface Extension {
  readonly critical: boolean;
  readonly value: Uint8Array;
}

/** The bits of the key usage extension (RFC 5280 4.2.1.3), in the order of their numbers. */
export const keyUsageNames = [
  "digitalSignature",
  "nonRepudiation",
  "keyEncipherment",
  "dataEncipherment",
  "keyAgreement",
  "keyCertSign",
  "cRLSign",
  "encipherOnly",
  "decipherOnly",
] as const;

export type KeyUsageName = (typeof keyUsageNames)[number];

/** The value of the basic constraints extension (RFC 5280 4.2.1.9). */
export interface BasicConstraints {
  readonly isCa: boolean;
  readonly pathLength?: number;
}

/**
 * Reads an Extensions sequence into a map from object identifier to extension. It must not be empty, and no extension
 * may occur twice (RFC 5280 4.2).
 *
 * @throws {SpiffeError} "certificate_extension_duplicate" | "certificate_extension" | "der_malformed"
 */
export function readExtensions(holder: DerReader): ReadonlyMap<string, Extension> {
  const reader = holder.sequence();
  const extensions = new Map<string, Extension>();
  while (!reader.atEnd) {
    const extension = reader.sequence();
    const oid = extension.oid();
    const critical = extension.nextIs(Tag.boolean) && extension.boolean();
    const value = extension.octetString();
    extension.finish();
    if (extensions.has(oid)) {
      throw new SpiffeError("certificate_extension_duplicate", `extension ${oid} occurs twice`);
    }
    extensions.set(oid, { critical, value });
  }
  if (extensions.size === 0) throw invalid("the list of extensions must not be empty");
  return extensions;
}

/** @throws {SpiffeError} "certificate_extension" | "der_malformed" */
export function parseKeyUsage(valueDer: Uint8Array): ReadonlySet<KeyUsageName> {
  const outer = new DerReader(valueDer);
  const { bytes, unusedBits } = outer.bitString();
  outer.finish();
  const usages = new Set<KeyUsageName>();
  for (let bit = 0; bit < bytes.length * 8 - unusedBits; bit++) {
    if (((bytes[bit >> 3] ?? 0) & (0x80 >> (bit & 7))) === 0) continue;
    const name = keyUsageNames[bit];
    if (name === undefined) throw invalid("unknown key usage");
    usages.add(name);
  }
  if (usages.size === 0) throw invalid("key usage must not be empty");
  return usages;
}

/** @throws {SpiffeError} "der_malformed" */
export function parseBasicConstraints(valueDer: Uint8Array): BasicConstraints {
  const outer = new DerReader(valueDer);
  const reader = outer.sequence();
  outer.finish();
  const isCa = reader.nextIs(Tag.boolean) && reader.boolean();
  if (reader.atEnd) return { isCa };
  const pathLength = reader.smallInteger();
  reader.finish();
  return { isCa, pathLength };
}

/** @throws {SpiffeError} "certificate_extension" | "der_malformed" */
export function parseExtKeyUsage(valueDer: Uint8Array): readonly string[] {
  const outer = new DerReader(valueDer);
  const reader = outer.sequence();
  outer.finish();
  const oids: string[] = [];
  while (!reader.atEnd) oids.push(reader.oid());
  if (oids.length === 0) throw invalid("extended key usage must not be empty");
  return oids;
}

/** @throws {SpiffeError} "der_malformed" */
export function parseSubjectKeyIdentifier(valueDer: Uint8Array): Uint8Array {
  const reader = new DerReader(valueDer);
  const identifier = reader.octetString();
  reader.finish();
  return identifier;
}

/** The key identifier of an authority key identifier; undefined when only issuer and serial number are given. */
export function parseAuthorityKeyIdentifier(valueDer: Uint8Array): Uint8Array | undefined {
  const outer = new DerReader(valueDer);
  const reader = outer.sequence();
  outer.finish();
  const identifier = reader.nextIs(contextPrimitive(0))
    ? reader.content(contextPrimitive(0))
    : undefined;
  if (reader.nextIs(contextConstructed(1))) reader.skip();
  if (reader.nextIs(contextPrimitive(2))) reader.integer(contextPrimitive(2));
  reader.finish();
  return identifier;
}

function invalid(message: string): SpiffeError {
  return new SpiffeError("certificate_extension", message);
}
