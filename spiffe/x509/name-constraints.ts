import { SpiffeError } from "../error.ts";
import { contextConstructed, DerReader } from "./der.ts";
import { type GeneralName, readGeneralName } from "./general-names.ts";

/** The value of a name constraints extension (RFC 5280 4.2.1.10). */
export interface NameConstraints {
  readonly permitted: readonly GeneralName[];
  readonly excluded: readonly GeneralName[];
}

/** @throws {SpiffeError} "certificate_extension" | "der_malformed" */
export function parseNameConstraints(valueDer: Uint8Array): NameConstraints {
  const outer = new DerReader(valueDer);
  const reader = outer.sequence();
  outer.finish();
  const permitted = readSubtrees(reader, contextConstructed(0));
  const excluded = readSubtrees(reader, contextConstructed(1));
  reader.finish();
  if (permitted.length + excluded.length === 0) {
    throw new SpiffeError("certificate_extension", "name constraints must not be empty");
  }
  return { permitted, excluded };
}

/**
 * Checks the names of a certificate against the constraints of one above it. Constraints on URIs and DNS names are
 * understood; constraints on other kinds of names are refused as soon as the certificate has a name of that kind, since
 * a constraint that cannot be checked must not be passed over (RFC 5280 4.2.1.10).
 *
 * @throws {SpiffeError} "chain_name_constraints"
 */
export function checkNameConstraints(
  constraints: NameConstraints,
  names: readonly GeneralName[],
): void {
  for (const name of names) {
    const permitted = constraints.permitted.filter(({ kind }) => kind === name.kind);
    const excluded = constraints.excluded.filter(({ kind }) => kind === name.kind);
    if (permitted.length + excluded.length === 0) continue;
    const isWithin = matcherFor(name);
    if (excluded.some(({ text }) => isWithin(text))) {
      throw violated(`a ${name.kind} name lies in an excluded subtree`);
    }
    if (permitted.length > 0 && !permitted.some(({ text }) => isWithin(text))) {
      throw violated(`a ${name.kind} name lies in no permitted subtree`);
    }
  }
}

function readSubtrees(reader: DerReader, tag: number): GeneralName[] {
  if (!reader.nextIs(tag)) return [];
  const list = reader.enter(tag);
  const subtrees: GeneralName[] = [];
  while (!list.atEnd) {
    const subtree = list.sequence();
    subtrees.push(readGeneralName(subtree));
    // The fields minimum and maximum that may follow must not be used (RFC 5280 4.2.1.10).
    subtree.finish();
  }
  if (subtrees.length === 0) {
    throw new SpiffeError("certificate_extension", "a list of subtrees must not be empty");
  }
  return subtrees;
}

function matcherFor(name: GeneralName): (constraint: string) => boolean {
  switch (name.kind) {
    case "uri": {
      const host = hostOf(name.text);
      return (constraint) => isUriHostWithin(host, constraint.toLowerCase());
    }
    case "dns": {
      const host = name.text.toLowerCase();
      return (constraint) => isDnsNameWithin(host, constraint.toLowerCase());
    }
    default:
      throw violated(`constraints on ${name.kind} names are not supported`);
  }
}

// A constraint without a leading dot names exactly one host; with a leading dot, every host that has one or more labels
// in front of it, but not the bare domain.
function isUriHostWithin(host: string, constraint: string): boolean {
  return constraint.startsWith(".")
    ? host.length > constraint.length && host.endsWith(constraint)
    : host === constraint;
}

// Any DNS name made by adding labels on the left satisfies the constraint, and so does the name itself; the empty
// constraint covers everything. A leading dot is not part of the standard but in use, and means a true subdomain.
function isDnsNameWithin(name: string, constraint: string): boolean {
  if (constraint === "" || name === constraint) return true;
  const suffix = constraint.startsWith(".") ? constraint : `.${constraint}`;
  return name.length > suffix.length && name.endsWith(suffix);
}

// RFC 5280 4.2.1.10: a URI without an authority, or whose host is an IP address, fails every constraint on URIs.
function hostOf(uri: string): string {
  const authority = /^[A-Za-z][A-Za-z0-9+.-]*:\/\/([^/?#]*)/.exec(uri)?.[1];
  const host = authority?.slice(authority.lastIndexOf("@") + 1).replace(/:\d*$/, "") ?? "";
  const isIpAddress = host.startsWith("[") || /^\d+\.\d+\.\d+\.\d+$/.test(host);
  if (host === "" || isIpAddress) {
    throw violated("a URI under a name constraint must have a host name");
  }
  return host.toLowerCase();
}

function violated(message: string): SpiffeError {
  return new SpiffeError("chain_name_constraints", message);
}
