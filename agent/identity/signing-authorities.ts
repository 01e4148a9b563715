import type { Bundle } from "../../proto/gen/spire/api/types/bundle_pb.ts";
import { Certificate } from "../../spiffe/x509/certificate.ts";

/** What the own bundle says of the X.509 authorities, each by its key identifier in lower-case hexadecimal. */
export interface SigningAuthorities {
  /** All that are in the bundle; undefined when one has no identifier, so that nobody can tell which has gone. */
  readonly present: ReadonlySet<string> | undefined;
  /** Those that are on their way out: what they signed is good still, and to be replaced. */
  readonly tainted: ReadonlySet<string>;
}

/** Reads the authorities of a bundle. @throws {SpiffeError} when one is no certificate */
export function signingAuthorities(bundle: Bundle): SigningAuthorities {
  const authorities = bundle.x509Authorities.map(({ asn1, tainted }) => {
    const { subjectKeyId } = Certificate.parse(asn1.slice());
    return { keyId: subjectKeyId && Buffer.from(subjectKeyId).toString("hex"), tainted };
  });
  const idsOf = (some: typeof authorities): ReadonlySet<string> =>
    new Set(some.flatMap(({ keyId }) => (keyId === undefined ? [] : [keyId])));
  return {
    present: authorities.every(({ keyId }) => keyId !== undefined) ? idsOf(authorities) : undefined,
    tainted: idsOf(authorities.filter(({ tainted }) => tainted)),
  };
}

/** Whether what hangs on these key identifiers verifies no more, since its authority has left the bundle. */
export function hasLost(authorities: SigningAuthorities, keyIds: readonly string[]): boolean {
  const { present } = authorities;
  return present !== undefined && keyIds.length > 0 && !keyIds.some((id) => present.has(id));
}

/** Whether what hangs on these key identifiers is to be replaced. */
export function isTainted(authorities: SigningAuthorities, keyIds: readonly string[]): boolean {
  return keyIds.some((id) => authorities.tainted.has(id));
}
