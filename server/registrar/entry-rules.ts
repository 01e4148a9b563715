/** What every entry is held to, whichever kind of resource it is from. */
import { SpiffeId } from "../../spiffe/id/spiffe-id.ts";
import { decideEntryWrite } from "../policy/entry-access.ts";
import type { DesiredEntry } from "./desired-entry.ts";
import type { RegistrarRules } from "./registrar-rules.ts";

/** @throws {Error} when the server would refuse an entry of this registrar with this ID */
export function checkAllowed(id: SpiffeId, entry: DesiredEntry, settings: RegistrarRules): void {
  if (id.trustDomain.name !== settings.trustDomain) {
    throw new Error(`the SPIFFE ID is not of the trust domain ${settings.trustDomain}`);
  }
  if (id.path === "") throw new Error("the SPIFFE ID has no path");
  const access = decideEntryWrite(settings.grants, {
    spiffeId: id,
    parentId: { path: SpiffeId.parse(entry.parentId).path },
    admin: entry.admin,
    downstream: entry.downstream,
    originCluster: entry.origin.cluster,
  });
  if (!access.allowed) throw new Error(`${access.message} (${id})`);
}

/** Lifetimes of an entry: those that a resource gives, else the default. */
export function ttlsOf(
  from: { readonly x509SvidTtlSeconds: number; readonly jwtSvidTtlSeconds: number },
  settings: RegistrarRules,
): Pick<DesiredEntry, "x509SvidTtlSeconds" | "jwtSvidTtlSeconds"> {
  return {
    x509SvidTtlSeconds: from.x509SvidTtlSeconds || settings.defaultX509SvidTtlSeconds,
    jwtSvidTtlSeconds: from.jwtSvidTtlSeconds || settings.defaultJwtSvidTtlSeconds,
  };
}

/** Each name once, whatever its case, in the order given: the first becomes the common name. */
export function uniqueNames(names: readonly string[]): readonly string[] {
  const byFolded = new Map<string, string>();
  for (const name of names) {
    const folded = name.toLowerCase();
    if (!byFolded.has(folded)) byFolded.set(folded, name);
  }
  return [...byFolded.values()];
}
