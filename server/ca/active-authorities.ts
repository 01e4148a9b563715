import type { KeyHandle } from "../keymanager/key-manager.ts";
import type { JwsAlgorithm } from "../keymanager/key-type.ts";
import type { AuthorityKind, AuthorityRecord } from "../store/records.ts";
import { type ActiveAuthorities, openTokenAuthority, openX509Authority } from "./authority.ts";

/**
 * Of all authorities those that sign: of each kind, and of JWT authorities of each algorithm, the newest active one, if its key is here.
 *
 * @param records in order of their making
 * @param standardJwt the algorithm of JWT-SVIDs that are asked for without one; undefined where this server is to sign none
 * @throws {Error} when a key is another one than its authority's
 */
export function openActiveAuthorities(
  records: readonly AuthorityRecord[],
  findKey: (ref: string) => KeyHandle | undefined,
  standardJwt: JwsAlgorithm | undefined,
): ActiveAuthorities {
  const activeOf = (kind: AuthorityKind): readonly AuthorityRecord[] =>
    records.filter((one) => one.kind === kind && one.state === "active");
  const withKey = <T>(
    record: AuthorityRecord | undefined,
    open: (record: AuthorityRecord, key: KeyHandle) => T,
  ): T | undefined => {
    if (record === undefined) return undefined;
    const key = findKey(record.keyRef);
    return key === undefined ? undefined : open(record, key);
  };

  const x509 = withKey(activeOf("x509").at(-1), openX509Authority);
  const wit = withKey(activeOf("wit").at(-1), openTokenAuthority);
  const jwts = activeOf("jwt").flatMap((record) => withKey(record, openTokenAuthority) ?? []);
  const jwtByAlgorithm = new Map(jwts.map((authority) => [authority.algorithm, authority]));
  const jwt = standardJwt === undefined ? undefined : jwtByAlgorithm.get(standardJwt);
  return {
    ...(x509 === undefined ? {} : { x509 }),
    ...(jwt === undefined ? {} : { jwt }),
    ...(wit === undefined ? {} : { wit }),
    jwtByAlgorithm,
  };
}
