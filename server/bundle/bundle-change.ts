import type {
  AuthorityRecord,
  BundleRecord,
  KeyAuthorityRecord,
  X509AuthorityRecord,
} from "../store/records.ts";

/** A change of a bundle's content. Pure; the sequence is not its business. */
export type BundleChange = (bundle: BundleRecord) => BundleRecord;

/** A certificate to be published beside those of our own authorities, for example of another server's. */
export function appendX509(certificateDer: Uint8Array): BundleChange {
  return (bundle) => {
    if (bundle.x509Authorities.some((one) => sameBytes(one.certificateDer, certificateDer)))
      return bundle;
    const added: X509AuthorityRecord = { certificateDer, tainted: false };
    return { ...bundle, x509Authorities: [...bundle.x509Authorities, added] };
  };
}

/** Which list of keys of a bundle. */
export type KeyList = "jwtAuthorities" | "witAuthorities";

/** A key to be published; one with the same ID is left as it is. */
export function appendKey(list: KeyList, key: KeyAuthorityRecord): BundleChange {
  return (bundle) =>
    bundle[list].some(({ keyId }) => keyId === key.keyId)
      ? bundle
      : { ...bundle, [list]: [...bundle[list], key] };
}

/** Takes a key out, whoever published it. */
export function removeKey(list: KeyList, keyId: string): BundleChange {
  return (bundle) => ({ ...bundle, [list]: bundle[list].filter((one) => one.keyId !== keyId) });
}

/** Publishes one of our authorities: from now on what it signs verifies. */
export function publish(authority: AuthorityRecord): BundleChange {
  const { kind, id: keyId, publicKeyDer, notAfter: expiresAt } = authority;
  if (kind === "x509") return appendX509(publishedCertificate(authority));
  return appendKey(keyListOf(kind), { keyId, publicKeyDer, expiresAt, tainted: false });
}

/** Marks one of our authorities, so that everybody replaces what it signed. */
export function taint(authority: AuthorityRecord): BundleChange {
  if (authority.kind === "x509") {
    const certificateDer = publishedCertificate(authority);
    return (bundle) => ({
      ...bundle,
      x509Authorities: bundle.x509Authorities.map((one) =>
        sameBytes(one.certificateDer, certificateDer) ? { ...one, tainted: true } : one,
      ),
    });
  }
  const list = keyListOf(authority.kind);
  return (bundle) => ({
    ...bundle,
    [list]: bundle[list].map((one) =>
      one.keyId === authority.id ? { ...one, tainted: true } : one,
    ),
  });
}

/** Takes one of our authorities out: what it signed does not verify any more. */
export function withdraw(authority: AuthorityRecord): BundleChange {
  if (authority.kind !== "x509") return removeKey(keyListOf(authority.kind), authority.id);
  const certificateDer = publishedCertificate(authority);
  return (bundle) => ({
    ...bundle,
    x509Authorities: bundle.x509Authorities.filter(
      (one) => !sameBytes(one.certificateDer, certificateDer),
    ),
  });
}

/** Whether two states of a bundle say the same, their sequences aside. */
export function sameContent(a: BundleRecord, b: BundleRecord): boolean {
  return (
    a.refreshHintSeconds === b.refreshHintSeconds &&
    sameList(a.x509Authorities, b.x509Authorities, sameX509) &&
    sameList(a.jwtAuthorities, b.jwtAuthorities, sameKey) &&
    sameList(a.witAuthorities, b.witAuthorities, sameKey)
  );
}

/** The list of a bundle that holds the keys of a kind of token. */
export function keyListOf(kind: "jwt" | "wit"): KeyList {
  return kind === "jwt" ? "jwtAuthorities" : "witAuthorities";
}

/** What verifiers need of an X.509 authority: its own certificate, as long as it signed that itself. */
function publishedCertificate({ id, certificateChainDer }: AuthorityRecord): Uint8Array {
  const root = certificateChainDer.at(-1);
  if (root === undefined) throw new TypeError(`authority ${id} has no certificate`);
  return root;
}

function sameList<T>(a: readonly T[], b: readonly T[], same: (a: T, b: T) => boolean): boolean {
  return (
    a.length === b.length &&
    a.every((one, index) => {
      const other = b[index];
      return other !== undefined && same(one, other);
    })
  );
}

function sameX509(a: X509AuthorityRecord, b: X509AuthorityRecord): boolean {
  return a.tainted === b.tainted && sameBytes(a.certificateDer, b.certificateDer);
}

function sameKey(a: KeyAuthorityRecord, b: KeyAuthorityRecord): boolean {
  return (
    a.keyId === b.keyId &&
    a.tainted === b.tainted &&
    a.expiresAt === b.expiresAt &&
    sameBytes(a.publicKeyDer, b.publicKeyDer)
  );
}

function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return Buffer.compare(a, b) === 0;
}
